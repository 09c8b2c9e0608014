import { afterEach, describe, expect, it, vi } from 'vitest'

import { probe, readAnswer } from '@/health/probe'
import { report } from './fixtures'

const NEVER = new AbortController().signal

function response(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  return new Response(typeof body === 'string' ? body : JSON.stringify(body), { status, headers })
}

afterEach(() => vi.unstubAllGlobals())

describe('an answer', () => {
  it('of 200 with a report is that report', async () => {
    const answer = await readAnswer(response(200, report('api-1')))
    expect(answer).toEqual({ kind: 'report', report: report('api-1') })
  })

  it('of 503 with a report is a replica that says why it is not ready', async () => {
    const unready = report('api-1', { status: 'unavailable', reason: 'no database' })
    expect(await readAnswer(response(503, unready))).toEqual({ kind: 'report', report: unready })
  })

  it('of 503 with a problem document means that there is no replica', async () => {
    const problem = { title: 'No replica is ready', status: 503, detail: 'Try again.' }
    expect(await readAnswer(response(503, problem, { 'x-request-id': 'abc' }))).toEqual({
      kind: 'no_replica',
      status: 503,
      detail: 'Try again.',
      requestId: 'abc',
    })
  })

  it('of 504 with a problem document means that the replicas are silent', async () => {
    const answer = await readAnswer(response(504, { title: 'The replica took too long' }))
    expect(answer).toMatchObject({ kind: 'no_replica', status: 504 })
  })

  it('that is the page itself is not taken for health', async () => {
    const answer = await readAnswer(response(200, '<!doctype html>'))
    expect(answer).toMatchObject({ kind: 'unexpected', status: 200 })
  })

  it('of another status keeps its words', async () => {
    const answer = await readAnswer(response(401, { title: 'Log in first' }))
    expect(answer).toMatchObject({ kind: 'unexpected', status: 401, detail: 'Log in first' })
  })
})

describe('a probe', () => {
  it('says that nothing answers when the connection fails', async () => {
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('Failed to fetch')))
    expect(await probe(NEVER)).toEqual({ kind: 'unreachable', timedOut: false })
  })

  it('is no failure when it was called off', async () => {
    const caller = new AbortController()
    vi.stubGlobal('fetch', () => {
      caller.abort()
      return Promise.reject(new DOMException('called off', 'AbortError'))
    })
    await expect(probe(caller.signal)).rejects.toThrow('called off')
  })
})
