// @vitest-environment happy-dom
import { afterEach, expect, it, vi } from 'vitest'
import { createApp, defineComponent, nextTick, type App, type Ref } from 'vue'
import { createRouter, createWebHistory, type Router } from 'vue-router'

import { useLinkToken } from '@/account/useLinkToken'

let app: App | undefined

async function open(link: string, another: () => void): Promise<{ router: Router; token: Ref<string | null> }> {
  let token: Ref<string | null> | undefined
  const Page = defineComponent(() => {
    token = useLinkToken(another)
    return () => null
  })
  history.replaceState(null, '', link)
  const router = createRouter({ history: createWebHistory(), routes: [{ path: '/:page(.*)', component: Page }] })
  await router.isReady
  await router.push(link)
  app = createApp(Page).use(router)
  app.mount(document.createElement('div'))
  if (!token) throw new Error('not set up')
  return { router, token }
}

afterEach(() => app?.unmount())

it('the token of a link stands neither in the address nor in what the router remembers of it', async () => {
  const { router, token } = await open('/confirm?from=mail#token=abc123', () => {})
  expect(token.value).toBe('abc123')
  await vi.waitFor(() => expect(router.currentRoute.value.fullPath).toBe('/confirm?from=mail'))
  await router.push('/login')
  expect(JSON.stringify(history.state)).not.toContain('abc123')
  expect(token.value).toBe('abc123')
})

it('another link that is opened on the page takes the place of the first', async () => {
  const another = vi.fn<() => void>()
  const { router, token } = await open('/confirm#token=first', another)
  await vi.waitFor(() => expect(router.currentRoute.value.hash).toBe(''))
  expect(another).not.toHaveBeenCalled()
  await router.push('/confirm#token=second')
  await nextTick()
  expect(token.value).toBe('second')
  expect(another).toHaveBeenCalledOnce()
})
