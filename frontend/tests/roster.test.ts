import { describe, expect, it } from 'vitest'

import { foldSweep, KEEP_MISSING_MS } from '@/health/roster'
import type { Sweep } from '@/health/sweep'
import { report } from './fixtures'

function swept(names: string[], failure: Sweep['failure'] = null): Sweep {
  const reports = new Map(names.map((name) => [name, report(name)]))
  return { reports, failure, requests: names.length }
}

const unreachable = { kind: 'unreachable', timedOut: false } as const

describe('the roster', () => {
  it('lists replicas in the order of their numbers', () => {
    const { replicas } = foldSweep(undefined, swept(['api-10', 'api-2', 'api-1']), 0)
    expect(replicas.map(({ name }) => name)).toEqual(['api-1', 'api-2', 'api-10'])
  })

  it('keeps a replica that fell silent for a while, with its last report', () => {
    const before = foldSweep(undefined, swept(['api-1', 'api-2']), 1000)
    const after = foldSweep(before, swept(['api-1']), 6000)
    expect(after.replicas).toMatchObject([
      { name: 'api-1', answering: true, seenAt: 6000 },
      { name: 'api-2', answering: false, seenAt: 1000, report: { replica: 'api-2' } },
    ])
  })

  it('drops it after that', () => {
    const before = foldSweep(undefined, swept(['api-1', 'api-2']), 1000)
    const after = foldSweep(before, swept(['api-1']), 1000 + KEEP_MISSING_MS)
    expect(after.replicas.map(({ name }) => name)).toEqual(['api-1'])
  })

  it('takes one back that answers again', () => {
    const before = foldSweep(undefined, swept(['api-1']), 0)
    const silent = foldSweep(before, swept([], unreachable), 5000)
    const back = foldSweep(silent, swept(['api-1']), 10_000)
    expect(back.replicas).toMatchObject([{ name: 'api-1', answering: true, seenAt: 10_000 }])
  })

  it('remembers when a replica last answered', () => {
    const before = foldSweep(undefined, swept(['api-1']), 1000)
    const silent = foldSweep(before, swept([], unreachable), 9000)
    expect(silent).toMatchObject({ lastAnswerAt: 1000, checkedAt: 9000, failure: unreachable })
  })

  it('does not claim an answer that never came', () => {
    expect(foldSweep(undefined, swept([], unreachable), 1000).lastAnswerAt).toBeNull()
  })
})
