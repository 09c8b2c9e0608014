// @vitest-environment happy-dom
import { keepPreviousData, QueryClient, useQuery, VueQueryPlugin } from '@tanstack/vue-query'
import { afterEach, expect, it, vi } from 'vitest'
import { createApp, defineComponent, nextTick, ref, watch, type App } from 'vue'

import { loaded, type Loaded } from '@/api/loaded'
import { readProblem } from '@/api/problem'

let app: App | undefined

function load<T>(key: () => string, ask: () => Promise<T>): Loaded<T> {
  let found: Loaded<T> | undefined
  const page = defineComponent(() => {
    found = loaded(
      useQuery({ queryKey: ['x', key], queryFn: ask, placeholderData: keepPreviousData }) as Parameters<typeof loaded<T>>[0],
    )
    return () => null
  })
  const queryClient = new QueryClient({ defaultOptions: { queries: { retry: false } } })
  app = createApp(page).use(VueQueryPlugin, { queryClient })
  app.mount(document.createElement('div'))
  if (!found) throw new Error('nothing is loaded')
  return found
}

afterEach(() => app?.unmount())

it('an outage does not come and go while it is asked again', async () => {
  let away = true
  const { problem, data, retry } = load(
    () => 'a',
    () => (away ? Promise.reject(readProblem(503, null, null)) : Promise.resolve('rows')),
  )
  await vi.waitFor(() => expect(problem.value?.isOutage).toBe(true))
  const seen: boolean[] = []
  watch(problem, (now) => seen.push(now !== null), { flush: 'sync' })
  retry()
  await nextTick()
  expect(problem.value).not.toBeNull()
  away = false
  await vi.waitFor(() => {
    retry()
    expect(data.value).toBe('rows')
  })
  expect(problem.value).toBeNull()
  expect(seen.slice(0, -1)).not.toContain(false)
})

it('rows of another question are known to be old', async () => {
  const key = ref('a')
  const answers: Record<string, Promise<string>> = { a: Promise.resolve('rows'), b: new Promise(() => {}) }
  const { data, old } = load(
    () => key.value,
    () => answers[key.value] ?? Promise.reject(new Error('not asked')),
  )
  await vi.waitFor(() => expect(data.value).toBe('rows'))
  expect(old.value).toBe(false)
  key.value = 'b'
  await vi.waitFor(() => expect(old.value).toBe(true))
  expect(data.value).toBe('rows')
})
