/** Builders for the tests: a healthy value, with the differences that a test is about. */
import type { Answer } from '@/health/probe'
import type { HealthReport } from '@/health/report'
import type { Roster } from '@/health/roster'

export function report(replica: string, differences: Partial<HealthReport> = {}): HealthReport {
  return {
    status: 'ready',
    replica,
    release: 'r20261120-190300-4f2a1c',
    version: '0.1.0',
    started_at: '2026-11-20T19:03:00.000000Z',
    database: {
      status: 'up',
      latency_ms: 0.8,
      tls: true,
      pool: { max: 8, in_use: 1, idle: 3 },
    },
    migrations: {
      head: '007_entity_indexes.sql',
      applied: 7,
      pending: 0,
      ahead: 0,
      startup: {
        path: 'observed',
        lock_acquired: false,
        lock_waited_ms: 3,
        applied: 0,
        duration_ms: 812,
      },
      lock: { held: false, holder: null },
    },
    workers: { configured: 2, busy: 0, queued: 0, oldest_queued_s: 0 },
    storage: { backend: 'fs', status: 'up', latency_ms: 0.2 },
    data_dir: { writable: true },
    ...differences,
  }
}

export function answerOf(replica: string, differences: Partial<HealthReport> = {}): Answer {
  return { kind: 'report', report: report(replica, differences) }
}

/** A roster of replicas that answer, with differences of the roster itself. */
export function roster(reports: HealthReport[], differences: Partial<Roster> = {}): Roster {
  return {
    replicas: reports.map((one) => ({
      name: one.replica,
      report: one,
      seenAt: 1000,
      answering: true,
    })),
    failure: null,
    checkedAt: 1000,
    lastAnswerAt: 1000,
    ...differences,
  }
}
