// @vitest-environment happy-dom
import { QueryClient, VueQueryPlugin } from '@tanstack/vue-query'
import { afterEach, expect, it, vi } from 'vitest'
import { createApp, type App } from 'vue'

import type { Migrations } from '@/api/types'
import MigrationsPage from '@/pages/admin/MigrationsPage.vue'

const CALM: Migrations = {
  applied: 1,
  head: '001_first.sql',
  ahead: [],
  pending: [],
  problems: [],
  server: '8.4.3',
  lock: { held: false },
  ledger: [
    { filename: '001_first.sql', state: 'applied', breaking: false, statements_done: 1, statements_total: 1, applied_by: 'x-api-r1-2' },
  ],
}

let app: App | undefined

function show(answer: () => Promise<Response>): HTMLElement {
  vi.stubGlobal('fetch', answer)
  const root = document.createElement('div')
  app = createApp(MigrationsPage).use(VueQueryPlugin, { queryClient: new QueryClient() })
  app.mount(root)
  return root
}

function found(differences: Partial<Migrations>): () => Promise<Response> {
  const body = JSON.stringify({ ...CALM, ...differences })
  return () => Promise.resolve(new Response(body, { headers: { 'content-type': 'application/json' } }))
}

afterEach(() => {
  app?.unmount()
  vi.unstubAllGlobals()
})

it('the dry run has its place before it is there', () => {
  const root = show(() => new Promise(() => {}))
  expect(root.querySelectorAll('.dry-run-nothing .placeholder')).toHaveLength(1)
  expect(root.querySelectorAll('.fact')).toHaveLength(4)
})

it('a release with nothing to do says so, with who applied what', async () => {
  const root = show(found({}))
  await vi.waitFor(() => expect(root.textContent).toContain('Nothing is pending'))
  expect(root.querySelector('tbody')?.textContent).toContain('Replica 2')
  expect(root.querySelector('[role=alert]')).toBeNull()
})

it('what is pending is shown statement by statement, and why a start would be refused', async () => {
  const cost = { operation: 'adds a column', algorithm: 'copy', lock: 'shared', heavy: true, rows: 12_345, why: 'the type changes' }
  const root = show(
    found({
      pending: [
        {
          filename: '002_second.sql',
          description: 'a column more',
          breaking: true,
          note: 'it goes on at its second statement',
          statements: [
            { number: 1, line: 3, text: 'CREATE TABLE a (b INT)', done: true },
            { number: 2, line: 5, text: 'ALTER TABLE a MODIFY b BIGINT', done: false, cost },
          ],
        },
      ],
      problems: ['001_first.sql is not what was applied'],
      ahead: ['003_third.sql'],
    }),
  )
  await vi.waitFor(() => expect(root.querySelector('.pending-file')).not.toBeNull())
  expect(root.querySelector('[role=alert]')?.textContent).toContain('001_first.sql is not what was applied')
  const words = root.querySelector('.pending-file')?.textContent ?? ''
  for (const part of ['002_second.sql', 'breaking', 'a column more', 'second statement', 'done by an earlier start', 'about 12,345 rows', 'heavy']) {
    expect(words).toContain(part)
  }
  expect(root.textContent).toContain('Applied by a newer release: 003_third.sql')
  expect(root.querySelector('.fact-grid')?.textContent).toContain('1 heavy statement')
})
