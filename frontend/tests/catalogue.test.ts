import { describe, expect, it } from 'vitest'

import { isFiltered, SEARCH_FIELDS, summary, toQuery } from '@/entities/search'
import { categoryShares, inheritanceShares, totals } from '@/entities/shares'
import { externalLink, INHERITANCES, shortInheritance } from '@/entities/words'
import { readQuery } from '@/tables/urlState'

const STATISTICS = {
  entities: 200,
  genes: 150,
  diseases: 1800,
  by_category: [{ category: 'Definitive', entities: 200 }],
  by_inheritance: [
    { hpo_id: 'HP:0000006', name: 'Autosomal dominant inheritance', entities: 20 },
    { hpo_id: 'HP:0001427', name: 'Mitochondrial inheritance', entities: 0 },
    { hpo_id: 'HP:0000007', name: 'Autosomal recessive inheritance', entities: 180 },
  ],
  by_ndd_phenotype: { yes: 150, no: 50 },
}

describe('a search', () => {
  it('asks for nothing that is not asked for', () => {
    expect(toQuery(readQuery(SEARCH_FIELDS, {}))).toEqual({ sort: 'gene', order: 'asc', limit: 20 })
  })

  it('passes on all that is', () => {
    const query = { q: ' Rett ', category: 'Limited', inheritance: 'HP:0001423', ndd: 'false', sort: 'entered_on', size: '50', cursor: 'c' }
    expect(toQuery(readQuery(SEARCH_FIELDS, query))).toEqual({
      q: 'Rett',
      category: 'Limited',
      inheritance: 'HP:0001423',
      ndd_phenotype: false,
      sort: 'entered_on',
      order: 'asc',
      limit: 50,
      cursor: 'c',
    })
  })

  it('knows whether anything is filtered out', () => {
    expect(isFiltered(readQuery(SEARCH_FIELDS, { sort: 'disease' }))).toBe(false)
    expect(isFiltered(readQuery(SEARCH_FIELDS, { ndd: 'false' }))).toBe(true)
  })

  it('says how much there is, or how much is shown', () => {
    expect(summary(20, 1234)).toBe('1,234 entities')
    expect(summary(1, 1)).toBe('1 entity')
    expect(summary(20, null)).toBe('20 on this page')
  })
})

describe('the figures of the start page', () => {
  it('are written out', () => {
    expect(totals(STATISTICS).diseases.value).toBe('1,800')
    expect(totals(STATISTICS).ndd.note).toBe('75 % of all entities')
    expect(totals({ ...STATISTICS, entities: 0 }).ndd.note).toBe('0 % of all entities')
  })

  it('lead to what they count', () => {
    expect(categoryShares(STATISTICS)[0]).toMatchObject({ to: { name: 'entities', query: { category: 'Definitive' } } })
    const modes = inheritanceShares(STATISTICS)
    expect(modes.map(({ label }) => label)).toEqual(['Autosomal recessive', 'Autosomal dominant'])
  })
})

it('identifiers lead to where they are explained, and made-up ones nowhere', () => {
  expect(externalLink('OMIM:312750')).toBe('https://www.omim.org/entry/312750')
  expect(externalLink('HGNC:6990')).toContain('HGNC:6990')
  expect(externalLink('MONDO:0010726')).toContain('MONDO:0010726')
  for (const id of ['SYNTHETIC:12', 'OMIM:', 'OMIM:1"><script>', 'free text']) expect(externalLink(id)).toBeNull()
  expect(INHERITANCES.every((id) => externalLink(id) !== null)).toBe(true)
})

it('a mode of inheritance goes without the word that all have', () => {
  expect(shortInheritance('X-linked dominant inheritance')).toBe('X-linked dominant')
  expect(shortInheritance('Sporadic')).toBe('Sporadic')
})
