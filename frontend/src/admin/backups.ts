/** Backups in words, and how their table stands in the address. Pure. */
import type { AdminJob, Backup, BackupPage, BackupSort } from '@/api/types'
import { formatBytes } from '@/format'
import type { Tone } from '@/jobs/words'
import type { Sorting } from '@/tables/columns'
import { numberOf, oneOf, pageNumber, type Fields } from '@/tables/urlState'

/** Has to be typed to restore; the API takes nothing else. */
export const RESTORE_WORD = 'RESTORE'

export const PAGE_SIZES = [25, 50, 100] as const

const SORTS = [
  '-created_at',
  'created_at',
  '-size_bytes',
  'size_bytes',
  '-kind',
  'kind',
  '-filename',
  'filename',
] as const satisfies readonly BackupSort[]

export interface State {
  page: number
  size: number
  sort: BackupSort
}

export const FIELDS: Fields<State> = { page: pageNumber, size: numberOf(PAGE_SIZES), sort: oneOf(SORTS, '-created_at') }

/** `-size_bytes` as the head of a table shows it. */
export function toSorting(sort: BackupSort): Sorting {
  return sort.startsWith('-') ? { by: sort.slice(1), order: 'desc' } : { by: sort, order: 'asc' }
}

export function fromSorting({ by, order }: Sorting): BackupSort {
  const sort = order === 'desc' ? `-${by}` : by
  return SORTS.find((known) => known === sort) ?? '-created_at'
}

/** What jobs that make or restore backups are called while they are followed. */
const LABELS: Readonly<Record<string, string>> = {
  'backup.create': 'Backup',
  'backup.scheduled': 'Scheduled backup',
  'backup.restore': 'Restore',
}

/** The first of these jobs that the page of backups follows: those that come first run. */
export function followable(jobs: readonly Pick<AdminJob, 'job_id' | 'kind'>[]): { id: number; label: string } | null {
  for (const { job_id: id, kind } of jobs) {
    const label = LABELS[kind]
    if (label !== undefined) return { id, label }
  }
  return null
}

/** What is known of the file being what was made. */
export function stateOf(backup: Pick<Backup, 'checksum' | 'fault'>): { text: string; tone: Tone } {
  if (backup.fault) return { text: 'damaged', tone: 'bad' }
  if (backup.checksum) return { text: 'checked', tone: 'good' }
  return { text: 'not read yet', tone: 'plain' }
}

/** `26–50 of 61, 1.2 GB in all`. */
export function pageSummary(list: BackupPage): string {
  const { page, page_size: size, total } = list
  const shown = list.backups.length
  if (total === 0) return ''
  const first = (page - 1) * size + 1
  const rows = shown === 0 ? `nothing on page ${page}` : `${first}–${first + shown - 1} of ${total.toLocaleString('en')}`
  return `${rows}, ${formatBytes(list.total_bytes)} in all`
}

/** Where the file is fetched from; the browser's own download carries on by itself. */
export function downloadPath(filename: string): string {
  return `/api/admin/backups/${encodeURIComponent(filename)}`
}
