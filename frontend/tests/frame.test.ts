// @vitest-environment happy-dom
/** What surrounds all pages. */
import { afterEach, expect, it, vi } from 'vitest'
import { createApp, defineComponent, nextTick } from 'vue'
import { createMemoryHistory, createRouter } from 'vue-router'

import RouteProgress from '@/layout/RouteProgress.vue'
import { router } from '@/router'
import { watchForFaults } from '@/ui/faults'
import ModalDialog from '@/ui/ModalDialog.vue'
import { useNotices } from '@/ui/notices'

afterEach(() => document.body.replaceChildren())

it('a page keeps the title that it gave itself while only the place on it changes', async () => {
  await router.push('/genes/MECP2')
  expect(document.title).toBe('Gene · SysNDD')
  document.title = 'MECP2 · SysNDD'
  await router.push('/genes/MECP2#synopsis')
  expect(document.title).toBe('MECP2 · SysNDD')
  await router.push('/nowhere')
  expect(document.title).toBe('Page not found · SysNDD')
})

it('a fault of a part is told once, and the rest of the page stays', () => {
  const heard = vi.spyOn(console, 'error').mockImplementation(() => {})
  const Broken = defineComponent(() => () => {
    throw new Error('broken')
  })
  const { notices } = useNotices()
  for (const _ of [1, 2]) {
    const app = createApp(Broken)
    watchForFaults(app)
    app.mount(document.createElement('div'))
  }
  expect(notices.value.filter(({ text }) => text.includes('does not work as it should'))).toHaveLength(1)
  expect(heard).toHaveBeenCalledTimes(2)
})

it('a page whose code is on its way has a sign of it', async () => {
  const arrivals: ((page: object) => void)[] = []
  const routes = [
    { path: '/', component: { render: () => null } },
    { path: '/lazy', component: () => new Promise<object>((resolve) => arrivals.push(resolve)) },
  ]
  const own = createRouter({ history: createMemoryHistory(), routes })
  const root = document.createElement('div')
  createApp(RouteProgress).use(own).mount(root)
  await own.isReady()
  const going = own.push('/lazy')
  await vi.waitFor(() => expect(arrivals).toHaveLength(1))
  expect(root.querySelector('[role=progressbar]')).not.toBeNull()
  arrivals[0]?.({ render: () => null })
  await going
  await nextTick()
  expect(root.querySelector('[role=progressbar]')).toBeNull()
})

it.each([
  ['that has to be answered is not left by Escape', true, 0],
  ['is left by Escape', false, 1],
])('a dialog %s', async (_, locked, times) => {
  const root = document.createElement('div')
  document.body.append(root)
  const onClose = vi.fn<() => void>()
  createApp(ModalDialog, { title: 'Sign in', locked, onClose }).mount(root)
  const key = new KeyboardEvent('keydown', { key: 'Escape', bubbles: true, cancelable: true })
  root.querySelector('h2')?.dispatchEvent(key)
  expect(key.defaultPrevented).toBe(locked)
  root.querySelector('dialog')?.dispatchEvent(new Event('cancel', { cancelable: true }))
  await nextTick()
  expect(onClose).toHaveBeenCalledTimes(times)
})
