/** The figures of the system page: what the replicas share. Pure. */
import { formatDuration } from '@/format'
import { count, describeMail, UNKNOWN, type Fact } from './facts'
import type { Roster } from './roster'

export function systemFacts(roster: Roster): Record<'workers' | 'storage' | 'mail' | 'lock', Fact> {
  const reports = roster.replicas.filter(({ answering }) => answering).map(({ report }) => report)
  const configured = reports.reduce((sum, { workers }) => sum + workers.configured, 0)
  const busy = reports.reduce((sum, { workers }) => sum + workers.busy, 0)
  const queued = Math.max(0, ...reports.map(({ workers }) => workers.queued))
  const oldest = Math.max(0, ...reports.map(({ workers }) => workers.oldest_queued_s))
  const storageUp = reports.filter(({ storage }) => storage.status === 'up').length
  const mail = reports.find(({ smtp }) => smtp && smtp.status !== 'unknown')?.smtp
  const holder = reports.find(({ migrations }) => migrations.lock.held)?.migrations.lock
  return {
    workers: {
      label: 'Workers',
      value: reports.length > 0 ? `${busy} of ${configured} busy` : UNKNOWN,
      note: queued > 0 ? `${count(queued, 'job')} waiting, for ${formatDuration(oldest)}` : 'no job waits',
    },
    storage: {
      label: 'Storage',
      value: reports.length > 0 ? (storageUp === reports.length ? 'Answers' : 'In trouble') : UNKNOWN,
      note: `${reports[0]?.storage.backend ?? UNKNOWN}, at ${storageUp} of ${count(reports.length, 'replica')}`,
    },
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
