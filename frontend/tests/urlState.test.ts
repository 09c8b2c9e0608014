import { describe, expect, it } from 'vitest'

import { nextSorting } from '@/tables/columns'
import { numberOf, oneOf, optionalNumber, pageNumber, readQuery, text, writeQuery, yesNo } from '@/tables/urlState'

const FIELDS = {
  q: text,
  order: oneOf(['asc', 'desc'], 'asc'),
  category: oneOf(['A', 'B']),
  size: numberOf([20, 50]),
  page: pageNumber,
  after: optionalNumber,
  ndd: yesNo,
}

describe('the state of a table', () => {
  it('comes out of the address as it went in', () => {
    type State = ReturnType<typeof readQuery<{ [Name in keyof typeof FIELDS]: ReturnType<(typeof FIELDS)[Name]> }>>
    const state: State = { q: 'Rett', order: 'desc', category: 'B', size: 50, page: 3, after: 7, ndd: false }
    const query = writeQuery(FIELDS, state, {})
    expect(query).toEqual({ q: 'Rett', order: 'desc', category: 'B', size: '50', page: '3', after: '7', ndd: 'false' })
    expect(readQuery(FIELDS, query as Record<string, string>)).toEqual(state)
  })

  it('is not written where it is at its default, and leaves what is not its own', () => {
    const state = readQuery(FIELDS, {})
    expect(state).toEqual({ q: '', order: 'asc', category: undefined, size: 20, page: 1, after: undefined, ndd: undefined })
    expect(writeQuery(FIELDS, state, { q: 'old', other: 'stays' })).toEqual({ other: 'stays' })
  })

  it('takes its default for whatever it does not know', () => {
    const odd = { order: 'sideways', category: 'Z', size: '21', page: '-1', after: '1e9', ndd: 'maybe', q: ['  a ', 'b'] }
    expect(readQuery(FIELDS, odd)).toEqual({ ...readQuery(FIELDS, {}), q: 'a' })
    expect(readQuery(FIELDS, { page: '0' }).page).toBe(1)
  })
})

it('a click on the head of a column sorts up, then down', () => {
  const up = nextSorting({ by: 'gene', order: 'asc' }, 'disease')
  expect(up).toEqual({ by: 'disease', order: 'asc' })
  expect(nextSorting(up, 'disease')).toEqual({ by: 'disease', order: 'desc' })
  expect(nextSorting({ by: 'disease', order: 'desc' }, 'disease').order).toBe('asc')
})
