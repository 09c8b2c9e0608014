/** The figures of the start page. Pure. */
import type { Category, Statistics } from '@/api/types'
import type { Fact } from '@/health/facts'
import type { Share } from './ShareBars.vue'
import { CATEGORY_MEANING, shortInheritance } from './words'

export function totals(statistics: Statistics): Record<'entities' | 'genes' | 'diseases' | 'ndd', Fact> {
  const { entities, genes, diseases, by_ndd_phenotype: ndd } = statistics
  const share = entities > 0 ? Math.round((100 * ndd.yes) / entities) : 0
  return {
    entities: { label: 'Entities', value: figure(entities), note: 'of gene, disease and inheritance' },
    genes: { label: 'Genes', value: figure(genes), note: 'with at least one entity' },
    diseases: { label: 'Diseases', value: figure(diseases), note: 'with at least one entity' },
    ndd: { label: 'With an NDD', value: figure(ndd.yes), note: `${share} % of all entities` },
  }
}

export function categoryShares({ by_category: counts }: Statistics): Share[] {
  return counts.map(({ category, entities }) => ({
    label: category,
    amount: entities,
    to: { name: 'entities', query: { category } },
    tone: category.toLowerCase(),
    note: CATEGORY_MEANING[category as Category] ?? '',
  }))
}

/** Without modes that nothing has, the most common first. */
export function inheritanceShares({ by_inheritance: counts }: Statistics): Share[] {
  return counts
    .filter(({ entities }) => entities > 0)
    .toSorted((a, b) => b.entities - a.entities)
    .map(({ hpo_id: id, name, entities }) => ({
      label: shortInheritance(name),
      amount: entities,
      to: { name: 'entities', query: { inheritance: id } },
    }))
}

function figure(amount: number): string {
  return amount.toLocaleString('en')
}
