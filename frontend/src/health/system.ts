/** The figures of the system page: what the replicas share. Pure. */
import { formatDuration } from '@/format'
import { count, describeMail, UNKNOWN, type Fact } from './facts'
import type { StorageHealth } from './report'
import type { Roster } from './roster'

export function systemFacts(roster: Roster): Record<'workers' | 'storage' | 'mail' | 'lock', Fact> {
  const reports = roster.replicas.filter(({ answering }) => answering).map(({ report }) => report)
  const configured = reports.reduce((sum, { workers }) => sum + workers.configured, 0)
  const busy = reports.reduce((sum, { workers }) => sum + workers.busy, 0)
  const queued = Math.max(0, ...reports.map(({ workers }) => workers.queued))
  const oldest = Math.max(0, ...reports.map(({ workers }) => workers.oldest_queued_s))
  const mail = reports.find(({ smtp }) => smtp && smtp.status !== 'unknown')?.smtp
  const holder = reports.find(({ migrations }) => migrations.lock.held)?.migrations.lock
  return {
    workers: {
      label: 'Workers',
      value: reports.length > 0 ? `${busy} of ${configured} busy` : UNKNOWN,
      note: queued > 0 ? `${count(queued, 'job')} waiting, for ${formatDuration(oldest)}` : 'no job waits',
    },
    storage: storageFact(reports.map(({ storage }) => storage)),
    mail: {
      label: 'Mail',
      value: { up: 'Answers', down: 'Down', off: 'Off' }[mail?.status ?? ''] ?? UNKNOWN,
      note: mail?.reason ?? (mail?.status === 'up' ? `within ${describeMail(mail)}` : describeMail(mail)),
    },
    lock: {
      label: 'Migration lock',
      value: holder ? 'Held' : reports.length > 0 ? 'Free' : UNKNOWN,
      note: holder?.holder ? `by ${holder.holder}` : 'nobody migrates',
    },
  }
}

/** A replica that did not try it yet, as after a start, says nothing against it. */
function storageFact(seen: StorageHealth[]): Fact {
  const label = 'Storage'
  const backend = seen[0]?.backend ?? UNKNOWN
  const up = seen.filter(({ status }) => status === 'up').length
  const note = `${backend}, at ${up} of ${count(seen.length, 'replica')}`
  if (seen.some(({ status }) => status === 'down')) return { label, value: 'In trouble', note }
  if (up > 0) return { label, value: 'Answers', note }
  return { label, value: UNKNOWN, note: seen.length > 0 ? `${backend}, not tried yet` : note }
}
