/** The figures at the head of the page, and the words of a replica's card. Pure. */
import { formatMillis, median } from '@/format'
import type { MailHealth, MigrationsHealth, StartupMigration, StorageHealth } from './report'
import type { Replica, Roster } from './roster'

export interface Fact {
  label: string
  value: string
  note: string
}

/** What is written where a figure is not known. */
export const UNKNOWN = '–'

export function summarise(roster: Roster): Record<'replicas' | 'release' | 'schema' | 'database', Fact> {
  const answering = roster.replicas.filter((replica) => replica.answering)
  return {
    replicas: replicasFact(answering),
    release: releaseFact(answering),
    schema: schemaFact(answering),
    database: databaseFact(answering),
  }
}

function replicasFact(answering: Replica[]): Fact {
  const ready = answering.filter(({ report }) => report.status === 'ready').length
  return {
    label: 'Replicas ready',
    value: `${ready} of ${answering.length}`,
    note: 'reached through the web server',
  }
}

function releaseFact(answering: Replica[]): Fact {
  const releases = distinct(answering.map(({ report }) => report.release ?? null))
  const versions = distinct(answering.map(({ report }) => report.version))
  const value = releases.length > 1 ? `${releases.length} releases` : (releases[0] ?? UNKNOWN)
  return { label: 'Release', value, note: versions.length > 0 ? `version ${versions.join(', ')}` : '' }
}

function schemaFact(answering: Replica[]): Fact {
  const applied = answering.map(({ report }) => report.migrations.applied ?? null).find(isNumber)
  const pending = answering.map(({ report }) => report.migrations.pending ?? null).find(isNumber)
  const value =
    pending === undefined
      ? UNKNOWN
      : pending === 0
        ? 'Up to date'
        : `${applied ?? 0} of ${(applied ?? 0) + pending}`
  const note = applied === undefined ? 'the ledger was not read' : `${count(applied, 'migration')} applied`
  return { label: 'Schema', value, note }
}

function databaseFact(answering: Replica[]): Fact {
  const latency = median(answering.map(({ report }) => report.database.latency_ms ?? null).filter(isNumber))
  const taken = sum(answering.map(({ report }) => report.database.pool.in_use))
  const open = sum(answering.map(({ report }) => report.database.pool.max))
  return {
    label: 'Database round trip',
    value: latency === null ? UNKNOWN : formatMillis(latency),
    note: `${taken} of ${open} connections in use`,
  }
}

/** What a replica's start did about migrations. */
export function describeStartup(startup: StartupMigration | null | undefined): string {
  if (!startup) return 'Not finished yet'
  switch (startup.path) {
    case 'applied':
      return `Applied ${count(startup.applied, 'file')} in ${formatMillis(startup.duration_ms)}`
    case 'fast_path':
      return `Nothing to do, seen in ${formatMillis(startup.duration_ms)}`
    case 'observed':
      return 'Another replica applied'
    default:
      // A newer API may know paths that this page does not.
      return String(startup.path)
  }
}

/** The migration lock as it is now, and how long this replica's start waited for it. */
export function describeLock({ lock, startup }: MigrationsHealth): string {
  const now = !lock.held ? 'free' : lock.holder ? `held by ${lock.holder}` : 'held'
  const waited = startup?.lock_waited_ms ?? 0
  return waited > 0 ? `${now} · waited ${formatMillis(waited)}` : now
}

/** Whether letters leave, as this replica last saw it. */
export function describeMail(mail: MailHealth | null | undefined): string {
  switch (mail?.status) {
    case 'up':
      return mail.latency_ms == null ? 'answers' : formatMillis(mail.latency_ms)
    case 'down':
      return 'does not answer'
    case 'off':
      return 'not set up'
    default:
      return UNKNOWN
  }
}

/** The storage, as this replica last saw it. */
export function describeStorage({ backend, status, latency_ms: latency }: StorageHealth): string {
  switch (status) {
    case 'up':
      return latency == null ? backend : `${backend}, ${formatMillis(latency)}`
    case 'down':
      return `${backend}, does not answer`
    case 'unknown':
      return `${backend}, not tried yet`
    default:
      // A newer API may know words that this page does not.
      return `${backend}, ${status}`
  }
}

/** The short name of how a start went, for the badge. */
export function startupLabel(startup: StartupMigration | null | undefined): string {
  if (!startup) return 'pending'
  return startup.path.replaceAll('_', ' ')
}

export function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? '' : 's'}`
}

function distinct<T>(values: (T | null)[]): T[] {
  return [...new Set(values.filter((value): value is T => value !== null))]
}

function isNumber(value: number | null | undefined): value is number {
  return typeof value === 'number'
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
