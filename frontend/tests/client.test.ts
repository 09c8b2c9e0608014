// @vitest-environment happy-dom
import { afterEach, expect, it, vi } from 'vitest'

import { api, call, onProblem } from '@/api/client'

afterEach(() => vi.unstubAllGlobals())

function answer(status: number, body: unknown, type = 'application/json'): void {
  vi.stubGlobal('fetch', () =>
    Promise.resolve(new Response(status === 204 ? null : JSON.stringify(body), { status, headers: { 'content-type': type } })),
  )
}

it('a request gives its data', async () => {
  answer(200, { entities: 3 })
  expect(await call(api.GET('/api/statistics'))).toEqual({ entities: 3 })
})

it('an answer without a body is no failure', async () => {
  answer(204, null)
  expect(await call(api.POST('/api/auth/logout'))).toBeUndefined()
})

it('a problem document is thrown, and told of', async () => {
  const heard = vi.fn<() => void>()
  const stop = onProblem(heard)
  answer(401, { title: 'Unauthorized', status: 401, detail: 'sign in first' }, 'application/problem+json')
  await expect(call(api.GET('/api/account'))).rejects.toMatchObject({ kind: 'signed_out', message: 'sign in first' })
  expect(heard).toHaveBeenCalledOnce()
  stop()
})

it('a connection that fails is an outage', async () => {
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('Failed to fetch')))
  await expect(call(api.GET('/api/statistics'))).rejects.toMatchObject({ kind: 'unreachable', isOutage: true })
})

it('what was called off is nobody’s failure', async () => {
  const caller = new AbortController()
  vi.stubGlobal('fetch', () => {
    caller.abort()
    return Promise.reject(new DOMException('called off', 'AbortError'))
  })
  await expect(call(api.GET('/api/statistics', { signal: caller.signal }))).rejects.toThrow('called off')
})
