/** The schema in words. Pure. */
import type { LedgerEntry, Migrations, PendingFile } from '@/api/types'
import { count, type Fact } from '@/health/facts'
import type { Tone } from '@/jobs/words'

export function migrationFacts(found: Migrations): Record<'applied' | 'pending' | 'ahead' | 'lock', Fact> {
  return {
    applied: { label: 'Applied', value: String(found.applied), note: found.head ?? 'nothing yet' },
    pending: {
      label: 'Pending',
      value: String(found.pending.length),
      note: found.pending.length > 0 ? `${count(heavy(found.pending), 'heavy statement')}` : 'a start would do nothing',
    },
    ahead: {
      label: 'Ahead',
      value: String(found.ahead.length),
      note: found.ahead.length > 0 ? 'applied by a newer release' : 'nothing that this release does not know',
    },
    lock: {
      label: 'Lock',
      value: found.lock.held ? 'Held' : 'Free',
      note: found.lock.holder ?? 'nobody migrates',
    },
  }
}

function heavy(files: readonly PendingFile[]): number {
  return files.flatMap((file) => file.statements).filter(({ cost }) => cost?.heavy).length
}

const TONES: Readonly<Record<string, Tone>> = {
  applied: 'good',
  adopted: 'plain',
  running: 'brand',
  failed: 'bad',
  in_doubt: 'bad',
}

export function toneOfState(state: string): Tone {
  return TONES[state] ?? 'plain'
}

/** The latest first: what is asked about is what happened last. */
export function latestFirst(ledger: readonly LedgerEntry[]): LedgerEntry[] {
  return ledger.toReversed()
}
