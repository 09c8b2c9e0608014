/** What the table of entities shows, as it stands in the address; and what it asks the API. Pure. */
import type { Category, EntityQuery, EntitySort, Inheritance, SortOrder } from '@/api/types'
import { numberOf, oneOf, text, yesNo, type Fields } from '@/tables/urlState'
import { CATEGORIES, INHERITANCES } from './words'

export const PAGE_SIZES = [20, 50, 100] as const

export interface Search {
  q: string
  category: Category | undefined
  inheritance: Inheritance | undefined
  ndd: boolean | undefined
  sort: EntitySort
  order: SortOrder
  size: number
  cursor: string
}

export const SEARCH_FIELDS: Fields<Search> = {
  q: text,
  category: oneOf(CATEGORIES),
  inheritance: oneOf(INHERITANCES),
  ndd: yesNo,
  sort: oneOf(['gene', 'entity_id', 'disease', 'category', 'entered_on'], 'gene'),
  order: oneOf(['asc', 'desc'], 'asc'),
  size: numberOf(PAGE_SIZES),
  cursor: text,
}

/** Without what is not asked for: the API refuses empty values. */
export function toQuery(search: Search): EntityQuery {
  return {
    sort: search.sort,
    order: search.order,
    limit: search.size,
    ...(search.q && { q: search.q }),
    ...(search.category && { category: search.category }),
    ...(search.inheritance && { inheritance: search.inheritance }),
    ...(search.ndd !== undefined && { ndd_phenotype: search.ndd }),
    ...(search.cursor && { cursor: search.cursor }),
  }
}

export function isFiltered({ q, category, inheritance, ndd }: Search): boolean {
  return q !== '' || category !== undefined || inheritance !== undefined || ndd !== undefined
}

/** Where a list begins. */
export const BEGINNING: Partial<Search> = { cursor: '' }

export const NO_FILTERS: Partial<Search> = { q: '', category: undefined, inheritance: undefined, ndd: undefined }

/** `1,234 entities`, or how many are shown where nobody counted all. */
export function summary(shown: number, total: number | null | undefined): string {
  if (total === null || total === undefined) return `${shown} on this page`
  return `${total.toLocaleString('en')} ${total === 1 ? 'entity' : 'entities'}`
}
