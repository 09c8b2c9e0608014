import { describe, expect, it } from 'vitest'

import type { HealthReport } from '@/health/report'
import { systemFacts } from '@/health/system'
import { timeline } from '@/health/timeline'
import { report, roster as rosterOf } from './fixtures'

const START = Date.parse('2026-11-20T19:03:00Z')

interface Step {
  path?: 'applied' | 'observed'
  waited?: number
  took: number
}

function started(name: string, afterMs: number, step: Step): HealthReport {
  return report(name, {
    started_at: new Date(START + afterMs).toISOString(),
    migrations: {
      ...report(name).migrations,
      startup: {
        path: step.path ?? 'observed',
        lock_acquired: step.path === 'applied',
        lock_waited_ms: step.waited ?? 0,
        applied: step.path === 'applied' ? 7 : 0,
        duration_ms: step.took,
      },
    },
  })
}

describe('the start of a release', () => {
  const picture = timeline(
    rosterOf([
      started('api-1', 10, { waited: 600, took: 700 }),
      started('api-2', 0, { path: 'applied', took: 800 }),
      started('api-3', 120_000, { took: 5 }),
    ]),
  )

  it('shows when each one began, waited and worked', () => {
    expect(picture?.rows.map(({ label, startedMs, waitedMs, workedMs }) => [label, startedMs, waitedMs, workedMs])).toEqual([
      ['Replica 1', 10, 600, 100],
      ['Replica 2', 0, 0, 800],
    ])
    expect(picture?.spanMs).toBe(800)
    expect(picture?.rows[1]?.working).toEqual({ from: 0, width: 100 })
  })

  it('names who came later instead of stretching the picture', () => {
    expect(picture?.later).toEqual(['Replica 3'])
  })

  it('is not there where no replica has told of it', () => {
    expect(timeline(rosterOf([]))).toBeNull()
    expect(timeline(rosterOf([report('api-1', { migrations: { ...report('x').migrations, startup: null } })]))).toBeNull()
  })

  it('leaves out the replicas of an older release', () => {
    const old = { ...started('api-9', -5000, { took: 5 }), release: 'r20261101-000000-aaaaaa' }
    const both = timeline(rosterOf([old, started('api-1', 0, { took: 5 })]))
    expect(both?.rows.map(({ label }) => label)).toEqual(['Replica 1'])
  })
})

describe('the system in figures', () => {
  it('adds up the workers and shows the one queue', () => {
    const workers = { configured: 2, busy: 1, queued: 3, oldest_queued_s: 65 }
    const facts = systemFacts(rosterOf([report('api-1', { workers }), report('api-2', { workers })]))
    expect(facts.workers.value).toBe('2 of 4 busy')
    expect(facts.workers.note.replaceAll('\u00a0', ' ')).toBe('3 jobs waiting, for 1 min 5 s')
  })

  it('says when mail or storage is in trouble', () => {
    const storage = { backend: 's3', status: 'down' } as const
    const smtp = { status: 'down', reason: 'connection refused' }
    const facts = systemFacts(rosterOf([report('api-1', { storage, smtp }), report('api-2')]))
    expect(facts.storage).toMatchObject({ value: 'In trouble', note: 's3, at 1 of 2 replicas' })
    expect(facts.mail).toMatchObject({ value: 'Down', note: 'connection refused' })
  })

  it('waits for the first word about the storage before it says anything', () => {
    const fresh = report('api-1', { storage: { backend: 'fs', status: 'unknown' } })
    expect(systemFacts(rosterOf([fresh])).storage).toMatchObject({ value: '–', note: 'fs, not tried yet' })
    expect(systemFacts(rosterOf([fresh, report('api-2')])).storage).toMatchObject({
      value: 'Answers',
      note: 'fs, at 1 of 2 replicas',
    })
  })

  it('of nobody is not known', () => {
    const facts = systemFacts(rosterOf([]))
    expect(Object.values(facts).map(({ value }) => value)).toEqual(['–', '–', '–', '–'])
  })
})
