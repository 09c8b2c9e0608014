/**
 * Requests to the API, typed by its OpenAPI document (`npm run api-types`).
 *
 * A request either gives its data or throws an `ApiProblem`; what was called off by its caller throws
 * the abort itself, which is nobody's failure.
 */
import createClient from 'openapi-fetch'

import { ApiProblem, readProblem, unreachable } from './problem'
import type { paths } from './schema'

/** Longer than the edge's own patience, so that its answer wins the race. */
const TIMEOUT_MS = 70_000

export const api = createClient<paths>({
  baseUrl: location.origin,
  headers: { Accept: 'application/json' },
  fetch: send,
})

async function send(request: Request): Promise<Response> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS)
  try {
    return await fetch(request, { signal: AbortSignal.any([request.signal, timeout]) })
  } catch (error) {
    if (request.signal.aborted) throw error
    throw unreachable(timeout.aborted)
  }
}

interface Outcome<T> {
  data?: T | undefined
  error?: unknown
  response: Response
}

/** What the request answers, or throws why it was not served. */
export async function call<T>(request: Promise<Outcome<T>>): Promise<T> {
  const { data, error, response } = await request
  // Answers without a body have no data either; their type says so.
  if (response.ok) return data as T
  const problem = readProblem(response.status, parsed(error), response.headers.get('x-request-id'))
  for (const listener of listeners) listener(problem)
  throw problem
}

type Listener = (problem: ApiProblem) => void
const listeners = new Set<Listener>()

/** Tells of each request that was answered with a problem. */
export function onProblem(listener: Listener): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** openapi-fetch leaves a body as text when its kind is not the one that it expects. */
function parsed(body: unknown): unknown {
  if (typeof body !== 'string') return body
  try {
    return JSON.parse(body)
  } catch {
    return null
  }
}
