// @vitest-environment happy-dom
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createApp, nextTick, type App } from 'vue'

import { readProblem } from '@/api/problem'
import type { Column } from '@/tables/columns'
import DataTable from '@/tables/DataTable.vue'

const COLUMNS: readonly Column[] = [
  { key: 'name', label: 'Name', sortable: true },
  { key: 'size', label: 'Size', sortable: true },
  { key: 'actions', label: 'Actions' },
]
const ROWS = [{ name: 'a', size: 1 }]

let app: App | undefined

function show(props: Record<string, unknown>): HTMLElement {
  const root = document.createElement('div')
  document.body.append(root)
  app = createApp(DataTable, { caption: 'Files', columns: COLUMNS, rows: ROWS, rowKey: () => 1, ...props })
  app.mount(root)
  return root
}

afterEach(() => {
  app?.unmount()
  document.body.replaceChildren()
})

describe('a table', () => {
  it('offers the columns that it can be sorted by beside its head as well', async () => {
    const onSort = vi.fn<() => void>()
    const root = show({ sorting: { by: 'name', order: 'desc' }, onSort })
    const [by, order] = root.querySelectorAll<HTMLSelectElement>('.sort-choice select')
    if (!by || !order) throw new Error('nothing to choose from')
    expect([...by.options].map(({ text }) => text)).toEqual(['Name', 'Size'])
    expect([by.value, order.value]).toEqual(['name', 'desc'])
    by.value = 'size'
    by.dispatchEvent(new Event('change'))
    expect(onSort).toHaveBeenLastCalledWith({ by: 'size', order: 'desc' })
    order.value = 'asc'
    order.dispatchEvent(new Event('change'))
    await nextTick()
    expect(onSort).toHaveBeenLastCalledWith({ by: 'name', order: 'asc' })
  })

  it('that is not sorted offers nothing of the kind', () => {
    expect(show({}).querySelector('.sort-choice')).toBeNull()
  })

  it('is a table for whoever hears it, also where it is laid out as cards', () => {
    const root = show({})
    const roles = [...root.querySelectorAll('[role]')].map((element) => element.getAttribute('role'))
    expect(roles).toEqual(['table', 'rowgroup', 'row', ...COLUMNS.map(() => 'columnheader'), 'rowgroup', 'row', ...COLUMNS.map(() => 'cell')])
    expect(root.querySelector('.cell-label')?.getAttribute('aria-hidden')).toBeNull()
  })

  it('says that its rows could not be asked for anew, and keeps them', () => {
    const onRetry = vi.fn<() => void>()
    const root = show({ problem: readProblem(500, { detail: 'the disk is full' }, null), onRetry })
    expect(root.querySelector('[role=alert]')?.textContent).toContain('The disk is full.')
    expect(root.querySelectorAll('tbody tr')).toHaveLength(1)
    root.querySelector<HTMLButtonElement>('[role=alert] button')?.click()
    expect(onRetry).toHaveBeenCalledOnce()
  })

  it.each([401, 503])('leaves %i to those who tell of it for all pages', (status) => {
    expect(show({ problem: readProblem(status, null, null) }).querySelector('[role=alert]')).toBeNull()
  })
})
