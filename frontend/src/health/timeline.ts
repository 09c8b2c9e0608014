/**
 * How the replicas of the running release came up, as lines beside each other. Pure.
 *
 * A health report says when a process started, how long its migration step took, and how much of that
 * it waited for another one. That step begins as soon as the database answers, which is drawn as the
 * start of the process: what is shown is a few milliseconds early, by as much for all of them.
 */
import { replicaNumber } from '@/format'
import type { MigrationPath } from './report'
import type { Replica, Roster } from './roster'

export interface Bar {
  /** Of all that is drawn, in percent. */
  from: number
  width: number
}

export interface TimelineRow {
  name: string
  label: string
  path: MigrationPath
  /** After the first one, in milliseconds. */
  startedMs: number
  waitedMs: number
  workedMs: number
  waiting: Bar
  working: Bar
}

export interface Timeline {
  release: string
  rows: TimelineRow[]
  /** What the whole width stands for, in milliseconds. */
  spanMs: number
  ticks: { at: number; ms: number }[]
  /** Replicas that were started later, one by one: after a crash, or by `scale`. */
  later: string[]
}

/** Started so much after the first, a replica is not of the same start. */
export const SAME_START_MS = 60_000

export function timeline(roster: Roster): Timeline | null {
  const release = newestRelease(roster.replicas)
  if (release === null) return null
  const own = roster.replicas.filter(({ report }) => report.release === release && report.migrations.startup)
  const begun = Math.min(...own.map(startOf))
  if (!Number.isFinite(begun)) return null
  const together = own.filter((replica) => startOf(replica) - begun <= SAME_START_MS)
  const spanMs = niceSpan(Math.max(...together.map((replica) => endOf(replica) - begun)))
  const percent = (ms: number): number => (100 * ms) / spanMs
  return {
    release,
    spanMs,
    ticks: [0, 0.25, 0.5, 0.75, 1].map((share) => ({ at: 100 * share, ms: share * spanMs })),
    rows: together.map((replica) => row(replica, startOf(replica) - begun, percent)),
    later: own.filter((replica) => !together.includes(replica)).map(labelOf),
  }
}

function row(replica: Replica, startedMs: number, percent: (ms: number) => number): TimelineRow {
  const startup = replica.report.migrations.startup
  const path = startup?.path ?? 'fast_path'
  const duration = startup?.duration_ms ?? 0
  const waitedMs = Math.min(duration, startup?.lock_waited_ms ?? 0)
  const workedMs = duration - waitedMs
  return {
    name: replica.name,
    label: labelOf(replica),
    path,
    startedMs,
    waitedMs,
    workedMs,
    waiting: { from: percent(startedMs), width: percent(waitedMs) },
    working: { from: percent(startedMs + waitedMs), width: percent(workedMs) },
  }
}

function labelOf({ name }: Replica): string {
  const number = replicaNumber(name)
  return number === null ? name : `Replica ${number}`
}

function startOf({ report }: Replica): number {
  return Date.parse(report.started_at)
}

function endOf(replica: Replica): number {
  return startOf(replica) + (replica.report.migrations.startup?.duration_ms ?? 0)
}

/** The release of whoever started last among those that answer. */
function newestRelease(replicas: readonly Replica[]): string | null {
  const answering = replicas.filter((replica) => replica.answering && replica.report.release)
  return answering.toSorted((a, b) => startOf(b) - startOf(a))[0]?.report.release ?? null
}

/** A round length that holds so many milliseconds: 1, 2, 4 or 8 times a power of ten. */
function niceSpan(ms: number): number {
  const needed = Math.max(ms, 1)
  const power = 10 ** Math.floor(Math.log10(needed))
  return ([1, 2, 4, 8].find((step) => step * power >= needed) ?? 10) * power
}
