/**
 * Finds the replicas behind the edge by asking until nobody new answers.
 *
 * The edge hands requests round in turn, so a round as long as the number of replicas reaches each
 * of them, as long as nobody else takes turns. How many there are is not known here: a round that met
 * somebody new is followed by another one, and so are some that met fewer than there were before.
 */
import type { Answer, Probe } from './probe'
import type { HealthReport } from './report'

/** Requests in a round when fewer replicas are known. */
export const MIN_ROUND = 4

/** Rounds in a row that met nobody new, after which whoever was met before and is missing counts as silent. */
export const PATIENCE = 8

/** Upper bound of requests in one sweep, whatever is found. */
export const MAX_REQUESTS = 48

export interface Sweep {
  /** The last report of each replica that answered, by replica name. */
  reports: Map<string, HealthReport>
  /** The last answer that was no report; `null` when each was one. */
  failure: Exclude<Answer, { kind: 'report' }> | null
  /** Requests sent. */
  requests: number
}

/**
 * Asks in rounds. `known` is the number of replicas that answered in the last sweep.
 * A first request that no replica answers ends it: more of the same would tell nothing.
 */
export async function sweep(probe: Probe, known: number, signal: AbortSignal): Promise<Sweep> {
  const result: Sweep = { reports: new Map(), failure: null, requests: 0 }

  const note = (answer: Answer): void => {
    result.requests += 1
    if (answer.kind === 'report') result.reports.set(answer.report.replica, answer.report)
    else result.failure = answer
  }

  note(await probe(signal))
  if (result.reports.size === 0) return result

  for (let idle = 0; ; ) {
    const before = result.reports.size
    const wanted = Math.max(MIN_ROUND, known, before)
    const size = Math.min(wanted, MAX_REQUESTS - result.requests)
    const answers = await Promise.all(Array.from({ length: size }, () => probe(signal)))
    answers.forEach(note)
    idle = result.reports.size > before ? 0 : idle + 1
    const enough = result.reports.size >= known ? 1 : PATIENCE
    if (idle >= enough || result.requests >= MAX_REQUESTS) return result
  }
}
