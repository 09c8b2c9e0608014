/**
 * One question through the edge: who answers, and how it is.
 *
 * Never throws for what can go wrong on the way; each way is an `Answer` of its own, because the
 * page tells the reader something different for each.
 */
import { parseHealthReport, type HealthReport } from './report'

/** With `each`, the edge passes on the report of the replica whose turn it is, ready or not. */
export const HEALTH_PATH = '/api/health/ready?each=1'

/** Longer than the edge's own patience (two tries of 3 s), so that its answer wins the race. */
export const PROBE_TIMEOUT_MS = 8_000

export type Answer =
  /** A replica answered, ready or not. */
  | { kind: 'report'; report: HealthReport }
  /** The edge answered for the replicas: it has nobody to ask, or nobody answered it. */
  | { kind: 'no_replica'; status: number; detail: string; requestId: string | null }
  /** Something answered that is no health report. */
  | { kind: 'unexpected'; status: number; detail: string; requestId: string | null }
  /** Nothing answered at all. */
  | { kind: 'unreachable'; timedOut: boolean }

export type Probe = (signal: AbortSignal) => Promise<Answer>

/** What a gateway says when the trouble is behind it. */
const GATEWAY_STATUSES = new Set([502, 503, 504])

/** Asks once. Rejects only when `signal` ends it, which is nobody's failure. */
export async function probe(signal: AbortSignal): Promise<Answer> {
  const timeout = AbortSignal.timeout(PROBE_TIMEOUT_MS)
  try {
    const response = await fetch(HEALTH_PATH, {
      cache: 'no-store',
      headers: { Accept: 'application/json' },
      signal: AbortSignal.any([signal, timeout]),
    })
    return await readAnswer(response)
  } catch (error) {
    if (signal.aborted) throw error
    return { kind: 'unreachable', timedOut: timeout.aborted }
  }
}

/** What a response means. A body that breaks off counts as no answer and rejects. */
export async function readAnswer(response: Response): Promise<Answer> {
  const text = await response.text()
  const body = parseJson(text)
  const report = parseHealthReport(body)
  if (report) return { kind: 'report', report }

  const requestId = response.headers.get('x-request-id')
  const problem = parseProblem(body)
  if (problem && GATEWAY_STATUSES.has(response.status)) {
    return { kind: 'no_replica', status: response.status, detail: problem, requestId }
  }
  const detail = problem ?? `an answer of ${text.length} characters that is no health report`
  return { kind: 'unexpected', status: response.status, detail, requestId }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The words of a problem document (RFC 9457), if `body` is one. */
function parseProblem(body: unknown): string | null {
  if (typeof body !== 'object' || body === null || !('title' in body)) return null
  const detail = 'detail' in body ? body.detail : undefined
  if (typeof detail === 'string') return detail
  return typeof body.title === 'string' ? body.title : null
}
