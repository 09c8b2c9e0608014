import { describe, expect, it } from 'vitest'

import { ApiProblem, asProblem, readProblem, unreachable } from '@/api/problem'
import { adviceFor, outcomeOf } from '@/ui/problemWords'

describe('an answer that refuses', () => {
  it('is a problem in its own words', () => {
    const problem = readProblem(409, { title: 'Conflict', detail: 'job 7: it is over' }, 'abc')
    expect(problem).toMatchObject({ kind: 'conflict', title: 'Conflict', message: 'job 7: it is over', requestId: 'abc' })
    expect(problem.isOutage).toBe(false)
  })

  it('names the fields that were refused, the first word on each', () => {
    const errors = [
      { field: 'email', message: 'is no address' },
      { field: 'email', message: 'is too long' },
      { field: 7, message: 'odd' },
    ]
    const problem = readProblem(422, { detail: 'x', errors }, null)
    expect([...problem.fields]).toEqual([['email', 'is no address']])
  })

  it.each([
    [401, 'signed_out'],
    [403, 'forbidden'],
    [404, 'not_found'],
    [400, 'invalid'],
    [422, 'invalid'],
    [429, 'too_many'],
    [500, 'fault'],
    [418, 'fault'],
  ] as const)('of %i is %s', (status, kind) => {
    expect(readProblem(status, null, null)).toMatchObject({ kind, isOutage: false })
  })

  it.each([502, 503, 504])('of %i passes by itself', (status) => {
    expect(readProblem(status, { title: 'No replica is ready' }, null).isOutage).toBe(true)
  })

  it('has words even when the answer has none', () => {
    expect(readProblem(500, '<html>', null)).toMatchObject({ title: 'Something went wrong' })
  })
})

it('no answer passes by itself', () => {
  expect(unreachable(false)).toMatchObject({ kind: 'unreachable', status: 0, isOutage: true })
})

it('whatever was thrown is a problem, and a problem stays itself', () => {
  const problem = unreachable(true)
  expect(asProblem(problem)).toBe(problem)
  expect(asProblem(new TypeError('x of undefined'))).toBeInstanceOf(ApiProblem)
  expect(asProblem('odd').message).toBe('odd')
})

describe('what became of something that was sent', () => {
  it('is told by whoever answered', () => {
    const detail = 'No API replica takes requests at the moment. Nothing was done; try again in a moment.'
    expect(outcomeOf(readProblem(503, { detail }, null))).toBe(detail)
    expect(outcomeOf(readProblem(409, { detail: 'job 7: it is over' }, null))).toBe('Job 7: it is over.')
  })

  it.each([502, 503, 504])('is not made up where %i says nothing', (status) => {
    expect(outcomeOf(readProblem(status, null, null))).not.toContain('Nothing was done')
  })

  it.each([true, false])('may be done where nobody answered (in time: %s)', (timedOut) => {
    expect(outcomeOf(unreachable(timedOut))).toContain('may have been carried out')
  })
})

it('only what is asked for again by itself is said to be', () => {
  const away = readProblem(503, null, null)
  expect(adviceFor(away, true)).toContain('by itself')
  expect(adviceFor(away, false)).not.toContain('by itself')
  expect(adviceFor(readProblem(404, null, null), true)).toContain('misspelt')
})
