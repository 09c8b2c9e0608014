import { describe, expect, it } from 'vitest'

import { downloadPath, FIELDS, followable, fromSorting, pageSummary, stateOf, toSorting } from '@/admin/backups'
import { latestFirst, migrationFacts, toneOfState } from '@/admin/migrations'
import { badgeOf, isLocked } from '@/admin/users'
import type { AdminJob, Backup, Migrations } from '@/api/types'
import { formatBytes } from '@/format'
import { canBeCancelled, canBeRetried, describe as inWords, fractionOf, isOver } from '@/jobs/words'
import { readQuery } from '@/tables/urlState'

const JOB: AdminJob = {
  job_id: 7,
  status: 'running',
  kind: 'backup.create',
  attempts: 1,
  max_attempts: 3,
  cancel_requested: false,
  created_at: '2026-11-20T19:03:00Z',
  run_after: '2026-11-20T19:03:00Z',
}

describe('what is at work', () => {
  it('is followed on the page of backups when it makes or restores one', () => {
    const jobs = [{ job_id: 1, kind: 'mail.send' }, { job_id: 2, kind: 'backup.mirror' }, { job_id: 3, kind: 'backup.restore' }]
    expect(followable(jobs)).toEqual({ id: 3, label: 'Restore' })
    expect(followable(jobs.slice(0, 2))).toBeNull()
  })
})

describe('a job', () => {
  it('says what it does, and how far it is', () => {
    const job = { ...JOB, step: 'dumping tables', progress: { current: 3, total: 12 } }
    expect(inWords(job)).toBe('Dumping tables (3 of 12)')
    expect(fractionOf(job)).toBe(0.25)
  })

  it('has no figure where nobody counted, and is whole when it succeeded', () => {
    expect(fractionOf(JOB)).toBeNull()
    expect(fractionOf({ ...JOB, progress: { current: 0, total: 0 } })).toBeNull()
    expect(fractionOf({ ...JOB, status: 'succeeded' })).toBe(1)
    expect(fractionOf({ ...JOB, progress: { current: 9, total: 3 } })).toBe(1)
  })

  it('says why it failed, or what it waits for', () => {
    const error = { code: 'x', message: 'the disk is full' }
    expect(inWords({ ...JOB, status: 'failed', error })).toBe('The disk is full')
    expect(inWords({ ...JOB, status: 'queued', error })).toContain('the disk is full')
    expect(inWords({ ...JOB, status: 'queued' })).toBe('Waits for a worker')
  })

  it('can be stopped until it is over, and told so once', () => {
    expect(canBeCancelled(JOB)).toBe(true)
    expect(canBeCancelled({ ...JOB, cancel_requested: true })).toBe(false)
    for (const status of ['succeeded', 'failed', 'cancelled'] as const) {
      expect(isOver(status)).toBe(true)
      expect(canBeCancelled({ ...JOB, status })).toBe(false)
      expect(canBeRetried({ ...JOB, status })).toBe(status !== 'succeeded')
    }
    expect(canBeRetried(JOB)).toBe(false)
  })
})

describe('a list of backups', () => {
  it('is the newest first unless told', () => {
    expect(readQuery(FIELDS, {}).sort).toBe('-created_at')
    expect(readQuery(FIELDS, { sort: 'DROP TABLE' }).sort).toBe('-created_at')
  })

  it('is sorted as its head says', () => {
    expect(toSorting('-size_bytes')).toEqual({ by: 'size_bytes', order: 'desc' })
    expect(fromSorting({ by: 'size_bytes', order: 'asc' })).toBe('size_bytes')
    expect(fromSorting(toSorting('-kind'))).toBe('-kind')
    expect(fromSorting({ by: 'table_count', order: 'asc' })).toBe('-created_at')
  })

  it('says where in it a page is', () => {
    const backup = { filename: 'x' } as Backup
    const page = (number: number, shown: number, total: number): string =>
      pageSummary({
        page: number,
        page_size: 25,
        total,
        total_bytes: 2_000_000,
        backups: Array.from({ length: shown }, () => backup),
      })
    expect(page(2, 25, 61)).toBe(`26–50 of 61, ${formatBytes(2_000_000)} in all`)
    expect(page(9, 0, 61)).toContain('nothing on page 9')
    expect(page(1, 0, 0)).toBe('')
  })

  it('says what is known of each file', () => {
    expect(stateOf({ checksum: 'ab', fault: 'cut off' }).tone).toBe('bad')
    expect(stateOf({ checksum: 'ab' }).tone).toBe('good')
    expect(stateOf({ checksum: null }).text).toBe('not read yet')
  })

  it('fetches a file by its name, whatever is in it', () => {
    expect(downloadPath('a/b?c.sql')).toBe('/api/admin/backups/a%2Fb%3Fc.sql')
  })
})

describe('an account', () => {
  const now = Date.parse('2026-11-20T12:00:00Z')

  it('that rests because of wrong passwords is locked until then', () => {
    const resting = { status: 'active', locked_until: '2026-11-20T12:05:00Z' } as const
    expect(isLocked(resting, now)).toBe(true)
    expect(badgeOf(resting, now).text).toBe('locked')
    expect(badgeOf(resting, now + 3_600_000).text).toBe('active')
  })

  it('that is disabled is that first of all', () => {
    expect(badgeOf({ status: 'disabled', locked_until: '2026-11-20T12:05:00Z' }, now).text).toBe('disabled')
  })
})

describe('the schema', () => {
  const found: Migrations = {
    head: '002_b.sql',
    applied: 2,
    ahead: [],
    problems: [],
    server: '9.7.4',
    lock: { held: true, holder: 'api-2' },
    ledger: [],
    pending: [
      {
        filename: '003_c.sql',
        description: '',
        breaking: false,
        statements: [
          { number: 1, line: 1, text: 'x', done: false, cost: { operation: 'o', algorithm: 'copy', lock: 'shared', heavy: true, why: 'w' } },
          { number: 2, line: 2, text: 'y', done: true },
        ],
      },
    ],
  }

  it('is told in four figures', () => {
    const facts = migrationFacts(found)
    expect([facts.applied.value, facts.pending.value, facts.ahead.value, facts.lock.value]).toEqual(['2', '1', '0', 'Held'])
    expect(facts.pending.note).toBe('1 heavy statement')
    expect(facts.lock.note).toBe('api-2')
  })

  it('shows what happened last first, and what is in doubt as bad', () => {
    const entry = { state: 'applied', breaking: false, statements_done: 1, statements_total: 1 }
    const ledger = [
      { ...entry, filename: '001_a.sql' },
      { ...entry, filename: '002_b.sql' },
    ]
    expect(latestFirst(ledger)[0]?.filename).toBe('002_b.sql')
    expect(toneOfState('in_doubt')).toBe('bad')
  })
})
