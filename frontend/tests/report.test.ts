import { describe, expect, it } from 'vitest'

import { parseHealthReport } from '@/health/report'
import { report } from './fixtures'

describe('a health report', () => {
  it('is taken as it is', () => {
    const body = report('api-1')
    expect(parseHealthReport(body)).toBe(body)
  })

  it('may lack what a starting replica does not know yet', () => {
    const body = {
      ...report('api-1', { status: 'starting', release: null }),
      migrations: { lock: { held: true } },
    }
    expect(parseHealthReport(body)).toBe(body)
  })

  it('may have no word from the storage and the mail server yet', () => {
    const body = report('api-1', {
      storage: { backend: 'fs', status: 'unknown', latency_ms: null },
      smtp: { status: 'unknown', latency_ms: null },
    })
    expect(parseHealthReport(body)).toBe(body)
  })

  it('may hold more than this page knows', () => {
    const body = { ...report('api-1'), mail: { status: 'up' } }
    expect(parseHealthReport(body)).toBe(body)
  })

  it.each([
    ['nothing', undefined],
    ['a list', []],
    ['a page', '<!doctype html>'],
    ['a problem document', { title: 'No replica is ready', status: 503 }],
    ['a status of another meaning', { ...report('a'), status: 'UP' }],
    ['a report without its database', { ...report('a'), database: undefined }],
    ['a pool that is not counted', { ...report('a'), database: { status: 'up', tls: true, pool: {} } }],
    ['a report without a word on its storage', { ...report('a'), storage: { backend: 'fs' } }],
    ['a report without the lock', { ...report('a'), migrations: {} }],
  ])('is not seen in %s', (_, body) => {
    expect(parseHealthReport(body)).toBeNull()
  })
})
