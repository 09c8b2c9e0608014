// @vitest-environment happy-dom
import { QueryClient, VueQueryPlugin } from '@tanstack/vue-query'
import { afterEach, beforeEach, describe, expect, it, vi, type Mock } from 'vitest'
import { createApp, defineComponent, h, type App } from 'vue'

import { tokenIn } from '@/account/useLinkToken'
import { readHint } from '@/session/hint'
import { ABSENT_AFTER_MS, isDueForRefresh } from '@/session/keepAlive'
import { safeNext } from '@/session/next'
import { ACCOUNT_KEY, useSession, watchForTheEnd, type Session } from '@/session/session'
import { api, call } from '@/api/client'

type Answers = Record<string, () => Response>

function server(answers: Answers): Mock<typeof fetch> {
  const answer = vi.fn<typeof fetch>((input) => {
    const make = answers[new URL((input as Request).url).pathname]
    return Promise.resolve(make ? make() : new Response('{}', { status: 404 }))
  })
  vi.stubGlobal('fetch', answer)
  return answer
}

function json(status: number, body: unknown): () => Response {
  return () => new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } })
}

describe('the way after signing in', () => {
  it.each(['/entities?q=Rett', '/admin/backups?page=2#x', '/'])('leads to %s', (path) => {
    expect(safeNext(path)).toBe(path)
  })

  it.each(['https://evil.example', '//evil.example', '/\\evil.example', 'entities', '', undefined, null, '/login', '/login?next=/login'])(
    'never leads to %s',
    (path) => {
      expect(safeNext(path)).toBe('/')
    },
  )
})

describe('a session', () => {
  const HOUR = 3_600_000
  const base = { begunAt: 0, expiresAt: 2 * HOUR }

  it('is carried on half-way, while somebody is there', () => {
    expect(isDueForRefresh({ ...base, now: HOUR - 1, activeAt: HOUR - 1 })).toBe(false)
    expect(isDueForRefresh({ ...base, now: HOUR, activeAt: HOUR - 1000 })).toBe(true)
  })

  it('is left to end when nobody is there, or when it is over', () => {
    expect(isDueForRefresh({ ...base, now: HOUR, activeAt: HOUR - ABSENT_AFTER_MS - 1 })).toBe(false)
    expect(isDueForRefresh({ ...base, now: 2 * HOUR, activeAt: 2 * HOUR })).toBe(false)
  })

  it('of some seconds is not carried on all the time', () => {
    expect(isDueForRefresh({ begunAt: 0, expiresAt: 20_000, now: 15_000, activeAt: 15_000 })).toBe(false)
  })
})

describe('the token of a link', () => {
  it('stands behind the number sign', () => {
    expect(tokenIn('#token=abc123')).toBe('abc123')
  })

  it.each(['', '#', '#token=', '#other=1', `#token=${'x'.repeat(129)}`])('is not in "%s"', (hash) => {
    expect(tokenIn(hash)).toBeNull()
  })
})

describe('who is signed in', () => {
  const MARIE = { user_id: 1, user_name: 'marie', email: 'm@example.org', first_name: 'M', family_name: 'C', role: 'Administrator' }
  let app: App | undefined
  let client: QueryClient
  let session: Session

  function start(): void {
    client = new QueryClient({ defaultOptions: { queries: { retry: false } } })
    const Page = defineComponent(() => {
      session = useSession()
      return () => h('p')
    })
    app = createApp(Page).use(VueQueryPlugin, { queryClient: client })
    app.mount(document.createElement('div'))
  }

  beforeEach(() => localStorage.clear())
  afterEach(() => {
    app?.unmount()
    vi.unstubAllGlobals()
  })

  it('is not asked of the server by visitors', async () => {
    const asked = server({})
    start()
    await vi.waitFor(() => expect(session.account.value).toBeNull())
    expect(asked).not.toHaveBeenCalled()
  })

  it('is known after signing in, and asked about after a reload', async () => {
    server({
      '/api/auth/login': json(200, { expires_at: '2030-01-01T00:00:00Z' }),
      '/api/account': json(200, MARIE),
    })
    start()
    await session.signIn('marie', 'correct horse battery')
    expect(session.account.value?.user_name).toBe('marie')
    expect(session.isAdministrator.value).toBe(true)
    app?.unmount()
    start()
    await vi.waitFor(() => expect(session.account.value?.user_name).toBe('marie'))
  })

  it('does not change by a wrong password', async () => {
    server({ '/api/auth/login': json(401, { title: 'Unauthorized', detail: 'wrong name or password' }) })
    start()
    await expect(session.signIn('marie', 'wrong')).rejects.toThrow('wrong name or password')
    expect(readHint()).toBeNull()
    expect(session.over.value).toBe(false)
  })

  it('stays on the page when the session ends in mid-use, until whoever it is has signed in again', async () => {
    const answers = {
      '/api/auth/login': json(200, { expires_at: '2030-01-01T00:00:00Z' }),
      '/api/account': json(200, MARIE),
      '/api/admin/users': json(401, { title: 'Unauthorized', detail: 'the session is over; sign in again' }),
    }
    server(answers)
    start()
    watchForTheEnd(client)
    await session.signIn('marie', 'correct horse battery')
    await expect(call(api.GET('/api/admin/users'))).rejects.toThrow('over')
    expect(session.over.value).toBe(true)
    expect(client.getQueryData(ACCOUNT_KEY)).toEqual(MARIE)
    await session.signIn('marie', 'correct horse battery')
    expect(session.over.value).toBe(false)
  })

  it('stays on the page as well when it is the account itself that is asked for', async () => {
    const answers: Answers = {
      '/api/auth/login': json(200, { expires_at: '2030-01-01T00:00:00Z' }),
      '/api/account': json(200, MARIE),
    }
    server(answers)
    start()
    watchForTheEnd(client)
    await session.signIn('marie', 'correct horse battery')
    answers['/api/account'] = json(401, { title: 'Unauthorized', detail: 'the session is over; sign in again' })
    await client.refetchQueries({ queryKey: ACCOUNT_KEY })
    expect(session.over.value).toBe(true)
    expect(session.account.value).toEqual(MARIE)
    expect(readHint()).not.toBeNull()
    // Whoever does not want to sign in again is nobody.
    session.forget()
    expect(session.account.value).toBeNull()
    expect(readHint()).toBeNull()
  })

  it('is nobody after a reload with a session that is over', async () => {
    localStorage.setItem('sysndd.session', '1900000000000')
    server({ '/api/account': json(401, { title: 'Unauthorized', detail: 'x' }) })
    start()
    await vi.waitFor(() => expect(session.account.value).toBeNull())
    expect(readHint()).toBeNull()
  })
})
