// @vitest-environment happy-dom
import { QueryClient, VueQueryPlugin } from '@tanstack/vue-query'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createApp, type App } from 'vue'

import HealthPage from '@/pages/HealthPage.vue'
import { report } from './fixtures'

let app: App | undefined

/** Shows the page before an edge that answers what `next` gives for each request. */
function showPage(next: () => Promise<Response>): HTMLElement {
  vi.stubGlobal('fetch', next)
  const root = document.createElement('div')
  document.body.append(root)
  app = createApp(HealthPage).use(VueQueryPlugin, { queryClient: new QueryClient() })
  app.mount(root)
  return root
}

function json(status: number, body: unknown): Promise<Response> {
  return Promise.resolve(new Response(JSON.stringify(body), { status }))
}

function edgeWith(names: string[]): () => Promise<Response> {
  let turn = 0
  return () => json(200, report(names[turn++ % names.length] ?? ''))
}

const text = (root: ParentNode, selector: string): string => root.querySelector(selector)?.textContent ?? ''

afterEach(() => {
  app?.unmount()
  vi.unstubAllGlobals()
  document.body.replaceChildren()
})

describe('the health page', () => {
  it('keeps the place of the cards until the first answer', () => {
    const root = showPage(() => new Promise(() => {}))
    expect(root.querySelectorAll('.replica-skeleton')).toHaveLength(4)
    expect(text(root, '[role=status]')).toContain('Asking the replicas')
  })

  it('shows a card for each replica that answers', async () => {
    const root = showPage(edgeWith(['api-1', 'api-2', 'api-3']))
    await vi.waitFor(() => expect(root.querySelectorAll('article')).toHaveLength(3))
    expect(text(root, '[role=status]')).toContain('All systems ready')
    expect(text(root, 'article')).toContain('007_entity_indexes.sql')
    expect(root.querySelector('.remedies')).toBeNull()
  })

  it('shows a replica that has not tried its storage yet', async () => {
    const storage = { backend: 'fs', status: 'unknown', latency_ms: null }
    const root = showPage(() => json(200, report('api-1', { storage })))
    await vi.waitFor(() => expect(text(root, 'article')).toContain('fs, not tried yet'))
    expect(text(root, '[role=status]')).toContain('All systems ready')
  })

  it('says what to do when no replica takes requests', async () => {
    const root = showPage(() => json(503, { title: 'No replica is ready', status: 503 }))
    await vi.waitFor(() => expect(text(root, '[role=status]')).toContain('No replica is answering'))
    expect(text(root, '.remedies')).toContain('sysndd-deploy status')
    expect(root.querySelectorAll('article, .replica-skeleton')).toHaveLength(0)
  })

  it('passes on the reason of a replica that is not ready', async () => {
    const reason = 'the database does not answer'
    const root = showPage(() => json(503, report('api-1', { status: 'unavailable', reason })))
    await vi.waitFor(() => expect(text(root, '[role=status]')).toContain(reason))
    expect(text(root, 'article')).toContain('unavailable')
  })

  it('does not take a page for an answer', async () => {
    const root = showPage(() => Promise.resolve(new Response('<!doctype html>', { status: 200 })))
    await vi.waitFor(() => expect(text(root, '[role=status]')).toContain('not a health report'))
  })
})
