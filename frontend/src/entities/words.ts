/** The words of the catalogue. The keys are held to the API's document by their types. Pure. */
import type { Category, Inheritance } from '@/api/types'

/** From the strongest evidence to the weakest. */
export const CATEGORIES = ['Definitive', 'Moderate', 'Limited', 'Refuted'] as const satisfies readonly Category[]

export const CATEGORY_MEANING: Record<Category, string> = {
  Definitive: 'shown in several families and upheld over time',
  Moderate: 'convincing, and not yet replicated often',
  Limited: 'first reports',
  Refuted: 'contradicted by later findings',
}

export const INHERITANCE_NAMES: Record<Inheritance, string> = {
  'HP:0000006': 'Autosomal dominant',
  'HP:0000007': 'Autosomal recessive',
  'HP:0001417': 'X-linked',
  'HP:0001419': 'X-linked recessive',
  'HP:0001423': 'X-linked dominant',
  'HP:0001427': 'Mitochondrial',
  'HP:0001428': 'Somatic',
  'HP:0001450': 'Y-linked',
  'HP:0003745': 'Sporadic',
}

export const INHERITANCES = Object.keys(INHERITANCE_NAMES) as Inheritance[]

/** `Autosomal dominant inheritance` without the word that each of them ends with. */
export function shortInheritance(name: string): string {
  return name.replace(/ inheritance$/, '')
}

/** Where an identifier is explained; `null` for one that nobody else knows. */
export function externalLink(id: string): string | null {
  const [namespace, number] = id.split(':', 2)
  if (!number || !/^\d+$/.test(number)) return null
  switch (namespace) {
    case 'HGNC':
      return `https://www.genenames.org/data/gene-symbol-report/#!/hgnc_id/${id}`
    case 'OMIM':
      return `https://www.omim.org/entry/${number}`
    case 'MONDO':
      return `https://monarchinitiative.org/${id}`
    case 'HP':
      return `https://hpo.jax.org/browse/term/${id}`
    default:
      return null
  }
}
