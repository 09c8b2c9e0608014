// @vitest-environment happy-dom
import { afterEach, describe, expect, it, vi } from 'vitest'

import { tokenLabel } from '@/account/rules'
import { example, expiryOf, LIFETIMES, USUAL_DAYS } from '@/account/tokens'
import { copy } from '@/ui/clipboard'

const NOW = Date.parse('2026-11-20T12:00:00Z')
const ends = (moment: string): ReturnType<typeof expiryOf> => expiryOf({ expires_at: moment }, NOW)

describe('a token of a script', () => {
  it.each([
    ['2027-02-18T12:00:00Z', 'in 90 days', false],
    ['2026-11-27T11:59:58Z', 'in 7 days', false],
    ['2026-11-23T11:59:58Z', 'in 3 days', true],
    ['2026-11-21T12:00:00Z', 'in a day', true],
    ['2026-11-21T10:30:00Z', 'in 22\u00a0h 30\u00a0min', true],
    ['2026-11-20T12:00:10Z', 'in 1\u00a0min', true],
    ['2026-11-20T12:00:00Z', 'expired', true],
  ])('that ends %s ends %s', (moment, text, soon) => {
    expect(ends(moment)).toEqual({ text, soon })
  })

  it('is good for no longer than the API allows, and usually for one of the lengths', () => {
    const days: readonly number[] = LIFETIMES.map((one) => one.days)
    expect(days).toContain(USUAL_DAYS)
    expect(Math.max(...days)).toBeLessThanOrEqual(366)
  })

  it('is told for what it is', () => {
    expect(tokenLabel('  ')).not.toBeNull()
    expect(tokenLabel('export on the wiki')).toBeNull()
    expect(tokenLabel('🐴'.repeat(64))).toBeNull()
    expect(tokenLabel('x'.repeat(65))).not.toBeNull()
  })

  it('is sent as a bearer token', () => {
    expect(example('https://a.example', 'abc')).toBe("curl -H 'Authorization: Bearer abc' https://a.example/api/account")
  })
})

describe('copying', () => {
  afterEach(() => {
    vi.unstubAllGlobals()
  })

  it('says whether the browser let it', async () => {
    const writeText = vi.fn<(text: string) => Promise<void>>().mockResolvedValue()
    vi.stubGlobal('navigator', { clipboard: { writeText } })
    expect(await copy('abc')).toBe(true)
    expect(writeText).toHaveBeenCalledExactlyOnceWith('abc')
    writeText.mockRejectedValue(new Error('not allowed'))
    expect(await copy('abc')).toBe(false)
    // Without TLS there is none at all.
    vi.stubGlobal('navigator', {})
    expect(await copy('abc')).toBe(false)
  })
})
