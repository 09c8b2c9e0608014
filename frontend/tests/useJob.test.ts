// @vitest-environment happy-dom
import { QueryClient, VueQueryPlugin } from '@tanstack/vue-query'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createApp, defineComponent, type App } from 'vue'

import { useJob, type FollowedJob } from '@/jobs/useJob'

let app: App | undefined
let asked = 0

function json(status: number, body: object): Response {
  return new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } })
}

/** Follows job 7 before a server that answers what `next` gives. */
function follow(next: () => Response): FollowedJob {
  vi.stubGlobal('fetch', () => {
    asked += 1
    return Promise.resolve(next())
  })
  let followed: FollowedJob | undefined
  const page = defineComponent(() => {
    followed = useJob(() => 7)
    return () => null
  })
  const queryClient = new QueryClient({ defaultOptions: { queries: { retry: false } } })
  app = createApp(page).use(VueQueryPlugin, { queryClient })
  app.mount(document.createElement('div'))
  if (!followed) throw new Error('nothing is followed')
  return followed
}

beforeEach(() => {
  vi.useFakeTimers()
  asked = 0
})

afterEach(() => {
  app?.unmount()
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

it.each([403, 404, 500])('a job of which %i is said is followed no longer, until that is asked for', async (status) => {
  let answer = json(status, { title: 'No', status, detail: 'not here' })
  const { job, lost, running, again } = follow(() => answer)
  expect(running.value).toBe(true)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(lost.value).toMatchObject({ status, message: 'not here' })
  expect(running.value).toBe(false)
  expect(asked).toBe(1)

  answer = json(200, { job_id: 7, status: 'succeeded' })
  again()
  await vi.advanceTimersByTimeAsync(1_000)
  expect(lost.value).toBeNull()
  expect(job.value).toMatchObject({ status: 'succeeded' })
})

it.each([429, 502, 503, 504])('a job is followed across %i', async (status) => {
  let sound = false
  const { job, lost, running } = follow(() =>
    sound ? json(200, { job_id: 7, status: 'running' }) : json(status, { title: 'Later', status }),
  )
  await vi.advanceTimersByTimeAsync(60_000)
  expect(asked).toBeGreaterThan(5)
  expect(lost.value).toBeNull()
  expect(running.value).toBe(true)
  sound = true
  await vi.advanceTimersByTimeAsync(10_000)
  expect(job.value).toMatchObject({ status: 'running' })
})
