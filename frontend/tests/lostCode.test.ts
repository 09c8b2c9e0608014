// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createMemoryHistory, createRouter, type Router } from 'vue-router'

import { watchForLostCode } from '@/ui/lostCode'
import { useNotices } from '@/ui/notices'

const { notices } = useNotices()
const load = vi.fn<(path: string) => void>()

/** As after a load of the site: a router of which one page's code is there if `isThere`. */
function site(isThere = (): boolean => false): Router {
  const page = { render: () => null }
  const lazy = () => (isThere() ? Promise.resolve(page) : Promise.reject(new TypeError('Failed to fetch')))
  const routes = [
    { path: '/', component: page },
    { path: '/lazy', component: lazy },
  ]
  const router = createRouter({ history: createMemoryHistory(), routes })
  watchForLostCode(router, load)
  return router
}

async function go(router: Router, path: string): Promise<void> {
  await router.push(path).catch(() => {})
}

function refuse(): never {
  throw new DOMException('forbidden', 'SecurityError')
}

function served(answer: () => Promise<Response>): void {
  vi.stubGlobal('fetch', answer)
}

afterEach(() => vi.unstubAllGlobals())

beforeEach(() => {
  sessionStorage.clear()
  notices.value = []
  load.mockReset()
  served(() => Promise.resolve(new Response('<!doctype html>')))
})

it('a page whose code is gone is loaded anew, where it was meant to be', async () => {
  await go(site(), '/lazy?sort=gene')
  await vi.waitFor(() => expect(load).toHaveBeenCalledExactlyOnceWith('/lazy?sort=gene'))
  expect(notices.value).toEqual([])
})

it('that is done once; then it is told', async () => {
  await go(site(), '/lazy')
  await vi.waitFor(() => expect(load).toHaveBeenCalledOnce())
  // The page that was loaded anew meets the same.
  await go(site(), '/lazy')
  await vi.waitFor(() => expect(notices.value).toMatchObject([{ tone: 'bad' }]))
  expect(load).toHaveBeenCalledOnce()
})

it('and again after it helped', async () => {
  await go(site(), '/lazy')
  await vi.waitFor(() => expect(load).toHaveBeenCalledOnce())
  await go(
    site(() => true),
    '/lazy',
  )
  await go(site(), '/lazy')
  await vi.waitFor(() => expect(load).toHaveBeenCalledTimes(2))
  expect(notices.value).toEqual([])
})

it.each([
  ['nobody answers', () => Promise.reject(new TypeError('Failed to fetch'))],
  ['the site is under maintenance', () => Promise.resolve(new Response('', { status: 503 }))],
])('the page stays as it is while %s', async (_, answer) => {
  served(answer)
  await go(site(), '/lazy')
  await vi.waitFor(() => expect(notices.value).toHaveLength(1))
  expect(load).not.toHaveBeenCalled()
})

it('nothing is loaded where no mark can be left', async () => {
  vi.stubGlobal('sessionStorage', { getItem: refuse, setItem: refuse, removeItem: refuse })
  await go(site(), '/lazy')
  await vi.waitFor(() => expect(notices.value).toHaveLength(1))
  expect(load).not.toHaveBeenCalled()
})
