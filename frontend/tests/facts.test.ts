import { describe, expect, it } from 'vitest'

import { describeLock, describeStartup, describeStorage, summarise, UNKNOWN } from '@/health/facts'
import { report, roster } from './fixtures'

const startup = { lock_acquired: false, lock_waited_ms: 0, applied: 0, duration_ms: 2 }

describe('the figures', () => {
  it('count who is ready among those that answer', () => {
    const facts = summarise(roster([report('a'), report('b', { status: 'draining' })]))
    expect(facts.replicas.value).toBe('1 of 2')
  })

  it('name one release, and count more', () => {
    const one = report('a', { release: 'r1' })
    expect(summarise(roster([one])).release.value).toBe('r1')
    expect(summarise(roster([one, report('b', { release: 'r2' })])).release.value).toBe('2 releases')
  })

  it('show how far the schema is', () => {
    const { migrations } = report('a')
    const behind = report('a', { migrations: { ...migrations, applied: 3, pending: 9 } })
    expect(summarise(roster([report('a')])).schema.value).toBe('Up to date')
    expect(summarise(roster([behind])).schema.value).toBe('3 of 12')
  })

  it('do not make up what nobody could read', () => {
    const { database } = report('a')
    const blind = report('a', {
      database: { ...database, status: 'down', latency_ms: null },
      migrations: { lock: { held: false } },
    })
    const facts = summarise(roster([blind]))
    expect(facts.database.value).toBe(UNKNOWN)
    expect(facts.schema).toMatchObject({ value: UNKNOWN, note: 'the ledger was not read' })
  })
})

describe('what a start did about migrations', () => {
  it.each([
    [{ ...startup, path: 'fast_path' }, 'Nothing to do, seen in 2 ms'],
    [
      { ...startup, path: 'applied', applied: 7, duration_ms: 812 },
      'Applied 7 files in 812 ms',
    ],
    [{ ...startup, path: 'observed' }, 'Another replica applied'],
    [null, 'Not finished yet'],
  ] as const)('is told in words (%#)', (value, sentence) => {
    expect(describeStartup(value).replaceAll('\u00a0', ' ')).toBe(sentence)
  })
})

describe('the migration lock', () => {
  it('is free, held, or held by somebody', () => {
    expect(describeLock({ lock: { held: false } })).toBe('free')
    expect(describeLock({ lock: { held: true } })).toBe('held')
    expect(describeLock({ lock: { held: true, holder: 'api-2' } })).toBe('held by api-2')
  })

  it('shows how long this start waited for it', () => {
    const waited = { ...startup, path: 'observed', lock_waited_ms: 640 } as const
    const text = describeLock({ lock: { held: false }, startup: waited })
    expect(text.replaceAll('\u00a0', ' ')).toBe('free · waited 640 ms')
  })
})

it.each([
  [{ status: 'up', latency_ms: 12 }, 'fs, 12 ms'],
  [{ status: 'up', latency_ms: null }, 'fs'],
  [{ status: 'down' }, 'fs, does not answer'],
  [{ status: 'unknown', latency_ms: null }, 'fs, not tried yet'],
  [{ status: 'full' }, 'fs, full'],
])('the storage is told in words (%#)', (seen, words) => {
  expect(describeStorage({ backend: 'fs', ...seen }).replaceAll('\u00a0', ' ')).toBe(words)
})
