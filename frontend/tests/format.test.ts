import { describe, expect, it } from 'vitest'

import { formatAgo, formatDuration, formatMillis, median, replicaNumber } from '@/format'

/** With ordinary spaces, so that the cases below can be read and typed. */
const plain = (text: string): string => text.replaceAll('\u00a0', ' ')

describe('numbers as the pages write them', () => {
  it.each([
    [0.4312, '431 µs'],
    [1, '1 ms'],
    [3.24, '3.2 ms'],
    [812.4, '812 ms'],
    [999.7, '1 s'],
    [1412, '1.4 s'],
    [59_990, '1 min'],
    [95_000, '1 min 35 s'],
  ])('%d ms is %s', (ms, text) => {
    expect(plain(formatMillis(ms))).toBe(text)
  })

  it.each([
    [-3, '0 s'],
    [0.7, '0 s'],
    [42, '42 s'],
    [303, '5 min 3 s'],
    [3600, '1 h'],
    [7800, '2 h 10 min'],
    [273_600, '3 d 4 h'],
  ])('%d seconds are %s', (seconds, text) => {
    expect(plain(formatDuration(seconds))).toBe(text)
  })

  it.each([
    [400, 'just now'],
    [12_300, '12 s ago'],
    [301_000, '5 min ago'],
    [7_800_000, '2 h 10 min ago'],
  ])('%d ms back is %s', (ms, text) => {
    expect(plain(formatAgo(ms))).toBe(text)
  })

  it('finds the number of a replica at the end of its name', () => {
    expect(replicaNumber('sysndd-api-r20261120-190300-4f2a1c-12')).toBe('12')
    expect(replicaNumber('laptop')).toBeNull()
  })

  it('takes the value in the middle', () => {
    expect(median([5, 1, 3])).toBe(3)
    expect(median([4, 1, 3, 2])).toBe(2.5)
    expect(median([])).toBeNull()
  })
})
