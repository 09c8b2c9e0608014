/**
 * The health report: what one replica answers to `GET /api/health/ready`.
 *
 * Mirrors `crates/protocol/src/health.rs`, field by field: the API's document leaves this body open. This
 * file is the only place of the frontend that knows the shape.
 */

/** Whether traffic may be sent to a replica. */
export type ReadyStatus = 'ready' | 'starting' | 'unavailable' | 'draining'

export type UpDown = 'up' | 'down'

/** How a replica came to an up-to-date schema at its start. */
export type MigrationPath = 'applied' | 'fast_path' | 'observed'

export interface Pool {
  max: number
  in_use: number
  idle: number
}

export interface DatabaseHealth {
  status: UpDown
  /** Round trip of one query in milliseconds; `null` when it did not answer. */
  latency_ms?: number | null
  tls: boolean
  pool: Pool
}

export interface StartupMigration {
  path: MigrationPath
  lock_acquired: boolean
  lock_waited_ms: number
  applied: number
  duration_ms: number
}

/** All numbers are read live, except `startup`; `null` where the ledger could not be read. */
export interface MigrationsHealth {
  head?: string | null
  applied?: number | null
  pending?: number | null
  /** Applied rows that this release does not know. */
  ahead?: number | null
  startup?: StartupMigration | null
  lock: { held: boolean; holder?: string | null }
}

export interface WorkersHealth {
  configured: number
  busy: number
  queued: number
  oldest_queued_s: number
}

/** The server that takes our mail; one that is down makes no replica unready. */
export interface MailHealth {
  /** `up`, `down`, `off` (none is set up) or `unknown` (not asked yet). */
  status: string
  latency_ms?: number | null
  reason?: string | null
}

/** Where copies go; one that is down makes no replica unready. */
export interface StorageHealth {
  backend: string
  /** `up`, `down` or `unknown` (not tried yet). */
  status: string
  latency_ms?: number | null
  /** Backups without a whole copy there; absent where copies go nowhere. */
  copies_missing?: number | null
}

export interface HealthReport {
  status: ReadyStatus
  /** Why not; present when `status` is not `ready`. */
  reason?: string | null
  replica: string
  release?: string | null
  version: string
  /** RFC 3339. */
  started_at: string
  database: DatabaseHealth
  migrations: MigrationsHealth
  workers: WorkersHealth
  /** Older releases do not say. */
  smtp?: MailHealth | null
  storage: StorageHealth
  data_dir: { writable: boolean }
}

const READY_STATUSES = new Set<string>(['ready', 'starting', 'unavailable', 'draining'])

/**
 * The report in `body`, or `null` when it is something else: an error page, a problem document,
 * or the report of a release whose shape this page cannot show.
 */
export function parseHealthReport(body: unknown): HealthReport | null {
  return isHealthReport(body) ? body : null
}

function isHealthReport(value: unknown): value is HealthReport {
  if (!isObject(value)) return false
  const { database, migrations, workers, storage, data_dir: dataDir } = value
  return (
    typeof value['status'] === 'string' &&
    READY_STATUSES.has(value['status']) &&
    typeof value['replica'] === 'string' &&
    typeof value['version'] === 'string' &&
    typeof value['started_at'] === 'string' &&
    isObject(database) &&
    isUpDown(database['status']) &&
    typeof database['tls'] === 'boolean' &&
    hasNumbers(database['pool'], ['max', 'in_use', 'idle']) &&
    isObject(migrations) &&
    isObject(migrations['lock']) &&
    typeof migrations['lock']['held'] === 'boolean' &&
    isStartup(migrations['startup']) &&
    hasNumbers(workers, ['configured', 'busy', 'queued', 'oldest_queued_s']) &&
    isObject(storage) &&
    typeof storage['backend'] === 'string' &&
    typeof storage['status'] === 'string' &&
    isObject(dataDir) &&
    typeof dataDir['writable'] === 'boolean'
  )
}

function isStartup(value: unknown): boolean {
  if (value === undefined || value === null) return true
  return (
    isObject(value) &&
    typeof value['path'] === 'string' &&
    hasNumbers(value, ['lock_waited_ms', 'applied', 'duration_ms'])
  )
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function isUpDown(value: unknown): value is UpDown {
  return value === 'up' || value === 'down'
}

function hasNumbers(value: unknown, names: readonly string[]): boolean {
  return isObject(value) && names.every((name) => typeof value[name] === 'number')
}
