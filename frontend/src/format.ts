/** Numbers, durations and moments as the pages write them. Pure. */

/** Between a number and its unit: a line never breaks there. */
const NBSP = '\u00a0'

/**
 * `850 µs`, `3.2 ms`, `240 ms`, `1.4 s`: two or three digits that matter.
 *
 * The bounds lie where rounding would reach the next unit: 999.7 ms is `1 s`, not `1000 ms`.
 */
export function formatMillis(ms: number): string {
  if (ms < 0.9995) return `${Math.round(ms * 1000)}${NBSP}µs`
  if (ms < 9.95) return `${trimZero(ms.toFixed(1))}${NBSP}ms`
  if (ms < 999.5) return `${Math.round(ms)}${NBSP}ms`
  if (ms < 59_950) return `${trimZero((ms / 1000).toFixed(1))}${NBSP}s`
  return formatDuration(Math.round(ms / 1000))
}

/** `42 s`, `5 min 3 s`, `2 h 10 min`, `3 d 4 h`: the two largest units. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  const parts: [number, string][] = [
    [Math.floor(whole / 86_400), 'd'],
    [Math.floor(whole / 3600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'min'],
    [whole % 60, 's'],
  ]
  const first = parts.findIndex(([amount]) => amount > 0)
  if (first === -1) return `0${NBSP}s`
  return parts
    .slice(first, first + 2)
    .filter(([amount]) => amount > 0)
    .map(([amount, unit]) => `${amount}${NBSP}${unit}`)
    .join(' ')
}

/** `just now`, `12 s ago`, `5 min ago`: how long ago, coarse enough not to flicker. */
export function formatAgo(ms: number): string {
  if (ms < 2000) return 'just now'
  const seconds = ms / 1000
  if (seconds < 60) return `${Math.floor(seconds)}${NBSP}s ago`
  if (seconds < 3600) return `${Math.floor(seconds / 60)}${NBSP}min ago`
  return `${formatDuration(seconds)} ago`
}

/** The last part of a container name, which is the replica's number: `api-r…-3` → `3`. */
export function replicaNumber(name: string): string | null {
  return /-(\d+)$/.exec(name)?.[1] ?? null
}

/** The value in the middle; `null` of nothing. */
export function median(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b)
  const upper = sorted[Math.floor(sorted.length / 2)]
  if (upper === undefined) return null
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? upper
  return (lower + upper) / 2
}

function trimZero(text: string): string {
  return text.replace(/\.0$/, '')
}

/** `20 Nov 2026` of `2026-11-20`: a day is the same everywhere. */
export function formatDay(day: string): string {
  const date = new Date(`${day}T00:00:00Z`)
  if (Number.isNaN(date.getTime())) return day
  return date.toLocaleDateString('en-GB', { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' })
}

/** A moment where the reader is: `20 Nov 2026, 19:03:07`. */
export function formatMoment(moment: string): string {
  const date = new Date(moment)
  if (Number.isNaN(date.getTime())) return moment
  return date.toLocaleString('en-GB', {
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  })
}

/** `512 B`, `3.4 kB`, `1.2 GB`: in powers of ten, as disks are sold. */
export function formatBytes(bytes: number): string {
  const units = ['kB', 'MB', 'GB', 'TB']
  if (bytes < 1000) return `${bytes}${NBSP}B`
  let value = bytes
  let unit = ''
  for (const next of units) {
    if (value < 999.95) break
    value /= 1000
    unit = next
  }
  return `${trimZero(value.toFixed(1))}${NBSP}${unit}`
}
