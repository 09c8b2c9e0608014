import { describe, expect, it } from 'vitest'

import type { Answer, Probe } from '@/health/probe'
import { MAX_REQUESTS, PATIENCE, sweep } from '@/health/sweep'
import { answerOf } from './fixtures'

const NEVER = new AbortController().signal

/** An edge that hands requests round in turn. */
function roundRobin(answers: readonly Answer[]): Probe {
  let turn = 0
  return () => {
    const answer = answers[turn % answers.length]
    turn += 1
    return answer ? Promise.resolve(answer) : Promise.reject(new Error('no answers to give'))
  }
}

function replicas(amount: number): Answer[] {
  return Array.from({ length: amount }, (_, index) => answerOf(`api-${index + 1}`))
}

describe('a sweep', () => {
  it.each([1, 2, 4, 8, 16])('meets each of %i replicas that it has never heard of', async (amount) => {
    const found = await sweep(roundRobin(replicas(amount)), 0, NEVER)
    expect(found.reports.size).toBe(amount)
    expect(found.failure).toBeNull()
  })

  it('asks no more than twice round when it knows how many there are', async () => {
    const found = await sweep(roundRobin(replicas(8)), 8, NEVER)
    expect(found.reports.size).toBe(8)
    expect(found.requests).toBeLessThanOrEqual(17)
  })

  it.each([2, 3, 4, 5])('meets each of %i replicas while others take turns, too', async (amount) => {
    // A browser that loads pages: after each of our turns it takes some, always in the same uneven way.
    let state = 1
    const turns = (): number => {
      state = (state * 16807) % 2_147_483_647
      return state % 4
    }
    const answers = replicas(amount)
    let turn = 0
    const edge: Probe = () => {
      turn += 1 + turns()
      const answer = answers[turn % amount]
      return answer ? Promise.resolve(answer) : Promise.reject(new Error('no answers to give'))
    }
    for (let round = 0; round < 200; round += 1) {
      const found = await sweep(edge, amount, NEVER)
      expect([round, found.reports.size]).toEqual([round, amount])
    }
  })

  it('gives up looking for a replica that is gone', async () => {
    const found = await sweep(roundRobin(replicas(3)), 4, NEVER)
    expect(found.reports.size).toBe(3)
    expect(found.requests).toBeLessThanOrEqual(1 + 4 * (PATIENCE + 1))
  })

  it('ends after one question when no replica answers', async () => {
    const silent: Answer = { kind: 'unreachable', timedOut: false }
    const found = await sweep(roundRobin([silent]), 4, NEVER)
    expect(found).toMatchObject({ failure: silent, requests: 1 })
  })

  it('keeps the failure of one request beside the reports of the others', async () => {
    const broken: Answer = { kind: 'unexpected', status: 502, detail: 'broke off', requestId: null }
    const found = await sweep(roundRobin([...replicas(3), broken]), 4, NEVER)
    expect(found.reports.size).toBe(3)
    expect(found.failure).toBe(broken)
  })

  it('ends even when each answer is by somebody new', async () => {
    let born = 0
    const found = await sweep(() => Promise.resolve(answerOf(`api-${(born += 1)}`)), 0, NEVER)
    expect(found.requests).toBe(MAX_REQUESTS)
  })
})
