// @vitest-environment happy-dom
import { expect, it } from 'vitest'
import { createApp } from 'vue'

import type { Roster } from '@/health/roster'
import StartupTimeline from '@/health/StartupTimeline.vue'
import { report, roster } from './fixtures'

function show(of: Roster | undefined): HTMLElement {
  const root = document.createElement('div')
  createApp(StartupTimeline, { roster: of }).mount(root)
  return root
}

function started(name: string, path: 'applied' | 'observed', waited: number, took: number): ReturnType<typeof report> {
  const { migrations } = report(name)
  const startup = { path, lock_acquired: path === 'applied', lock_waited_ms: waited, applied: 0, duration_ms: took }
  return report(name, { migrations: { ...migrations, startup } })
}

it('a start has a bar for who applied and one for each who waited, and says so in words', () => {
  const root = show(roster([started('api-1', 'applied', 0, 800), started('api-2', 'observed', 600, 800)]))
  const [applier, waiter] = root.querySelectorAll('.timeline > li')
  expect(applier?.querySelectorAll('.timeline-bar')).toHaveLength(1)
  expect(applier?.querySelector('.timeline-bar.applied')).not.toBeNull()
  expect(applier?.textContent).toContain('applied the migrations')
  expect(waiter?.querySelector<HTMLElement>('.timeline-bar.waiting')?.style.width).toBe('75%')
  expect(waiter?.querySelector('.timeline-bar.observed')).not.toBeNull()
  expect(waiter?.textContent).toContain('for another, looked at the schema')
})

it('the place of the picture is kept in its own shape', () => {
  const [before, after] = [show(undefined), show(roster([1, 2, 3, 4].map((n) => report(`api-${n}`))))]
  for (const part of ['.timeline > li', '.timeline-words', '.timeline-axis', '.timeline-legend', '.lead-note']) {
    expect([part, before.querySelectorAll(part).length]).toEqual([part, after.querySelectorAll(part).length])
  }
})
