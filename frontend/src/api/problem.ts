/**
 * Why a request was not served, in the one form that the pages know. Pure.
 *
 * The API and the edge answer problem documents (RFC 9457). What is no answer at all becomes one here,
 * so that nobody has to tell the two apart.
 */

export type ProblemKind =
  /** Nothing answered: no network, or no web server. */
  | 'unreachable'
  /** The web server answers, and nobody behind it does; or the database is away. */
  | 'unavailable'
  /** Nobody is signed in, or no more. */
  | 'signed_out'
  | 'forbidden'
  | 'not_found'
  /** A value was refused. */
  | 'invalid'
  /** The thing is not in a state for this. */
  | 'conflict'
  /** Too many requests. */
  | 'too_many'
  /** A fault of the server, or an answer that cannot be read. */
  | 'fault'

interface Facts {
  kind: ProblemKind
  status: number
  title: string
  detail: string
  fields?: ReadonlyMap<string, string>
  requestId?: string | null
}

export class ApiProblem extends Error {
  override readonly name = 'ApiProblem'
  readonly kind: ProblemKind
  /** `0` when nothing answered. */
  readonly status: number
  readonly title: string
  /** What is wrong with each value that was refused, by its name. */
  readonly fields: ReadonlyMap<string, string>
  /** Leads to the request in the logs. */
  readonly requestId: string | null

  constructor(facts: Facts) {
    super(facts.detail)
    this.kind = facts.kind
    this.status = facts.status
    this.title = facts.title
    this.fields = facts.fields ?? new Map()
    this.requestId = facts.requestId ?? null
  }

  /** Whether it passes by itself: asking again later is all there is to do. */
  get isOutage(): boolean {
    return this.kind === 'unreachable' || this.kind === 'unavailable'
  }
}

/** Whatever was thrown, as a problem. */
export function asProblem(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error
  const detail = error instanceof Error ? error.message : String(error)
  return new ApiProblem({ kind: 'fault', status: 0, title: 'Something went wrong', detail })
}

/** No answer came. */
export function unreachable(timedOut: boolean): ApiProblem {
  return new ApiProblem({
    kind: 'unreachable',
    status: 0,
    title: 'SysNDD cannot be reached',
    detail: timedOut ? 'The request was sent and no answer came in time.' : 'The connection failed before an answer came.',
  })
}

/** What an answer of `status` with this body means. The body may be anything. */
export function readProblem(status: number, body: unknown, requestId: string | null): ApiProblem {
  const kind = kindOf(status)
  const title = text(body, 'title') ?? FALLBACK_TITLES[kind]
  const detail = text(body, 'detail') ?? `The server answered with status ${status}.`
  return new ApiProblem({ kind, status, title, detail, fields: fieldsOf(body), requestId })
}

const FALLBACK_TITLES: Record<ProblemKind, string> = {
  unreachable: 'SysNDD cannot be reached',
  unavailable: 'SysNDD does not answer',
  signed_out: 'You are not signed in',
  forbidden: 'You may not do this',
  not_found: 'This is not there',
  invalid: 'A value was refused',
  conflict: 'This cannot be done now',
  too_many: 'Too many requests',
  fault: 'Something went wrong',
}

function kindOf(status: number): ProblemKind {
  switch (status) {
    case 401:
      return 'signed_out'
    case 403:
      return 'forbidden'
    case 404:
      return 'not_found'
    case 409:
      return 'conflict'
    case 400:
    case 413:
    case 415:
    case 422:
      return 'invalid'
    case 429:
      return 'too_many'
    case 502:
    case 503:
    case 504:
      return 'unavailable'
    default:
      return 'fault'
  }
}

function text(body: unknown, name: string): string | null {
  if (typeof body !== 'object' || body === null) return null
  const value: unknown = Reflect.get(body, name)
  return typeof value === 'string' && value !== '' ? value : null
}

function fieldsOf(body: unknown): Map<string, string> {
  const fields = new Map<string, string>()
  if (typeof body !== 'object' || body === null || !('errors' in body) || !Array.isArray(body.errors)) return fields
  for (const entry of body.errors as unknown[]) {
    const field = text(entry, 'field')
    const message = text(entry, 'message')
    if (field !== null && message !== null && !fields.has(field)) fields.set(field, message)
  }
  return fields
}
