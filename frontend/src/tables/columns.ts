/** What a table shows of a row. */
export interface Column {
  /** Names the slot `cell-KEY`, and the key to sort by where that is possible. */
  key: string
  label: string
  sortable?: boolean
  /** Figures stand at the end, so that their digits line up. */
  align?: 'end'
  /** How wide it is, as CSS has it; columns without share the rest. */
  width?: string
}

export interface Sorting {
  by: string
  order: 'asc' | 'desc'
}

/** What a click on the head of a column means: up, down, up … */
export function nextSorting(now: Sorting, column: string): Sorting {
  return { by: column, order: now.by === column && now.order === 'asc' ? 'desc' : 'asc' }
}
