/**
 * One sentence about the whole stack, and what to do about it. Pure.
 */
import type { Replica, Roster } from './roster'

/** `starting` is on its way to healthy by itself; `degraded` serves; `down` does not. */
export type Level = 'healthy' | 'starting' | 'degraded' | 'down'

export interface Verdict {
  level: Level
  title: string
  detail: string
  /** Commands for the operator, most useful first; empty when there is nothing to do. */
  remedies: readonly Remedy[]
}

export interface Remedy {
  command: string
  purpose: string
}

const STATUS: Remedy = {
  command: 'sysndd-deploy status',
  purpose: 'shows each container, its state and whether it is ready',
}
const LOGS: Remedy = {
  command: 'sysndd-deploy logs --tail 50 api',
  purpose: 'shows what the replicas said last',
}
const DOCTOR: Remedy = {
  command: 'sysndd-deploy doctor',
  purpose: 'looks for the usual causes and says how to mend them',
}
const UP: Remedy = {
  command: 'sysndd-deploy up',
  purpose: 'brings the stack to what sysndd.toml describes',
}

export function judge(roster: Roster): Verdict {
  const answering = roster.replicas.filter((replica) => replica.answering)
  if (answering.length === 0) return judgeSilence(roster)

  const ready = answering.filter((replica) => replica.report.status === 'ready')
  if (answering.every(({ report }) => report.status === 'starting')) {
    return {
      level: 'starting',
      title: 'Starting',
      detail: reasonOf(answering),
      remedies: [],
    }
  }
  if (ready.length === 0) {
    return {
      level: 'down',
      title: 'No replica is ready',
      detail: reasonOf(answering),
      remedies: [LOGS, STATUS, DOCTOR],
    }
  }

  const findings = findFaults(roster, answering, ready.length)
  const [first, ...more] = findings
  if (first === undefined) {
    return {
      level: 'healthy',
      title: 'All systems ready',
      detail:
        ready.length === 1
          ? 'The one replica behind the edge is ready, and the schema is up to date.'
          : `All ${ready.length} replicas behind the edge are ready, and the schema is up to date.`,
      remedies: [],
    }
  }
  return {
    level: 'degraded',
    title: 'Serving, with a finding',
    detail: [first, ...more].join(' '),
    remedies: [STATUS, LOGS],
  }
}

function findFaults(roster: Roster, answering: Replica[], ready: number): string[] {
  const findings: string[] = []
  if (ready < answering.length) {
    findings.push(`${ready} of ${answering.length} replicas are ready.`)
  }
  const missing = roster.replicas.length - answering.length
  if (missing > 0) {
    findings.push(
      `${missing === 1 ? 'One replica' : `${missing} replicas`} answered a moment ago and no longer ${missing === 1 ? 'does' : 'do'}.`,
    )
  }
  const pending = Math.max(...answering.map(({ report }) => report.migrations.pending ?? 0))
  if (pending > 0) {
    findings.push(`${pending} ${pending === 1 ? 'migration is' : 'migrations are'} pending.`)
  }
  if (answering.some(({ report }) => report.migrations.pending == null)) {
    findings.push('The migration ledger could not be read by each replica.')
  }
  const releases = new Set(answering.map(({ report }) => report.release ?? report.version))
  if (releases.size > 1) {
    findings.push(`${releases.size} releases are answering: a roll-out is under way.`)
  }
  if (roster.failure) findings.push('Some requests did not reach a replica.')
  return findings
}

/** Nothing answered as a replica: say who did, or that nobody did. */
function judgeSilence({ failure }: Roster): Verdict {
  if (failure?.kind === 'no_replica' && failure.status !== 503) {
    return {
      level: 'down',
      title: 'The replicas do not answer',
      detail: `The web server is up and has replicas to ask, but got no answer. It says: ${failure.detail}`,
      remedies: [LOGS, STATUS, DOCTOR],
    }
  }
  if (failure?.kind === 'no_replica') {
    return {
      level: 'down',
      title: 'No replica is answering',
      detail:
        'The web server is up, but there is no API replica that takes requests. This page tries again by itself.',
      remedies: [STATUS, LOGS, UP],
    }
  }
  if (failure?.kind === 'unexpected') {
    return {
      level: 'down',
      title: 'The answer was not a health report',
      detail: `Something answered with status ${failure.status}: ${failure.detail}. Perhaps page and API are of different releases, or something else listens at this address.`,
      remedies: [STATUS, DOCTOR],
    }
  }
  const timedOut = failure?.kind === 'unreachable' && failure.timedOut
  return {
    level: 'down',
    title: timedOut ? 'The stack does not answer in time' : 'The stack cannot be reached',
    detail: timedOut
      ? 'The request was accepted and no answer came. This page tries again by itself.'
      : 'Not even the web server answers. Check the network first; this page tries again by itself.',
    remedies: [STATUS, DOCTOR, UP],
  }
}

function reasonOf(answering: Replica[]): string {
  const reasons = new Set(answering.map(({ report }) => report.reason ?? fallbackReason(report)))
  return [...reasons].join(' · ')
}

function fallbackReason({ status }: Replica['report']): string {
  switch (status) {
    case 'starting':
      return 'The replicas are starting.'
    case 'draining':
      return 'The replicas are finishing their last requests before they stop.'
    default:
      return 'The replicas do not say why.'
  }
}
