/**
 * What is known about the replicas over time: each sweep is folded into the roster of the one
 * before. Pure; the clock comes in as an argument.
 */
import type { HealthReport } from './report'
import type { Sweep } from './sweep'

/** A replica that no longer answers stays on the page this long, so that its end is seen. */
export const KEEP_MISSING_MS = 45_000

export interface Replica {
  name: string
  /** The last report it gave. */
  report: HealthReport
  /** When it gave it, in milliseconds of the browser's clock. */
  seenAt: number
  /** Whether it answered in the latest sweep. */
  answering: boolean
}

export interface Roster {
  replicas: Replica[]
  /** Why the latest sweep had no complete answer; `null` when each request met a replica. */
  failure: Sweep['failure']
  /** When the latest sweep ended. */
  checkedAt: number
  /** When a replica last answered anything; `null` when none ever did. */
  lastAnswerAt: number | null
}

export function foldSweep(previous: Roster | undefined, sweep: Sweep, now: number): Roster {
  const answering = [...sweep.reports.values()].map(
    (report): Replica => ({ name: report.replica, report, seenAt: now, answering: true }),
  )
  const missing = (previous?.replicas ?? [])
    .filter(({ name, seenAt }) => !sweep.reports.has(name) && now - seenAt < KEEP_MISSING_MS)
    .map((replica): Replica => ({ ...replica, answering: false }))

  return {
    replicas: [...answering, ...missing].toSorted(byName),
    failure: sweep.failure,
    checkedAt: now,
    lastAnswerAt: answering.length > 0 ? now : (previous?.lastAnswerAt ?? null),
  }
}

/** By name, with numbers in it as numbers: replica 10 comes after replica 9. */
function byName(a: Replica, b: Replica): number {
  return a.name.localeCompare(b.name, 'en', { numeric: true })
}
