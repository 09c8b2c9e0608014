import { describe, expect, it } from 'vitest'

import type { HealthReport } from '@/health/report'
import { judge } from '@/health/verdict'
import { report, roster } from './fixtures'

const four = (differences: Partial<HealthReport> = {}): HealthReport[] => [
  report('api-1'),
  report('api-2'),
  report('api-3'),
  report('api-4', differences),
]

describe('the verdict', () => {
  it('is healthy when each replica is ready', () => {
    const verdict = judge(roster(four()))
    expect(verdict).toMatchObject({ level: 'healthy', remedies: [] })
    expect(verdict.detail).toContain('All 4 replicas')
  })

  it('counts the ready ones when not all are', () => {
    const verdict = judge(roster(four({ status: 'starting' })))
    expect(verdict.level).toBe('degraded')
    expect(verdict.detail).toContain('3 of 4 replicas are ready.')
  })

  it('says the reason, once, when none is ready', () => {
    const reason = 'the database does not answer'
    const verdict = judge(roster(four().map((one) => ({ ...one, status: 'unavailable', reason }))))
    expect(verdict).toMatchObject({ level: 'down', title: 'No replica is ready', detail: reason })
    expect(verdict.remedies).not.toEqual([])
  })

  it('is patient with replicas that start', () => {
    const reason = 'applying migrations'
    const verdict = judge(roster(four().map((one) => ({ ...one, status: 'starting', reason }))))
    expect(verdict).toMatchObject({ level: 'starting', detail: reason, remedies: [] })
  })

  it('mentions a replica that fell silent', () => {
    const known = roster(four())
    const verdict = judge({
      ...known,
      replicas: known.replicas.map((one) => ({ ...one, answering: one.name !== 'api-2' })),
    })
    expect(verdict).toMatchObject({ level: 'degraded' })
    expect(verdict.detail).toContain('One replica answered a moment ago and no longer does.')
  })

  it('mentions pending migrations', () => {
    const pending = { ...report('api-4').migrations, pending: 2 }
    expect(judge(roster(four({ migrations: pending }))).detail).toContain('2 migrations are pending.')
  })

  it('mentions a ledger that could not be read', () => {
    const unread = { lock: { held: false } }
    expect(judge(roster(four({ migrations: unread }))).detail).toContain('ledger')
  })

  it('mentions two releases side by side', () => {
    expect(judge(roster(four({ release: 'r20261121-080000-aaaaaa' }))).detail).toContain('2 releases')
  })

  it.each([
    ['No replica is answering', { kind: 'no_replica', status: 503, detail: '', requestId: null }],
    ['The replicas do not answer', { kind: 'no_replica', status: 504, detail: '', requestId: null }],
    ['The stack cannot be reached', { kind: 'unreachable', timedOut: false }],
    ['The stack does not answer in time', { kind: 'unreachable', timedOut: true }],
    [
      'The answer was not a health report',
      { kind: 'unexpected', status: 200, detail: 'a page', requestId: null },
    ],
  ] as const)('tells "%s" from the other ways of silence', (title, failure) => {
    const verdict = judge(roster([], { failure }))
    expect(verdict).toMatchObject({ level: 'down', title })
    expect(verdict.remedies).not.toEqual([])
  })
})
