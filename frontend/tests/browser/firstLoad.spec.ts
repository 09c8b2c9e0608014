/** What the first visit costs, as the browser counts it. */
import { writeFileSync } from 'node:fs'

import { expect, test } from '@playwright/test'

const BUDGET = 150_000

test('the start page is small, whole and still', async ({ page }) => {
  const missing: string[] = []
  page.on('response', (response) => {
    if (response.status() >= 400) missing.push(`${response.status()} ${response.url()}`)
  })
  await page.addInitScript(() => {
    const seen = { shift: 0, violations: [] as string[] }
    Object.assign(window, { seen })
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) seen.shift += (entry as unknown as { value: number }).value
    }).observe({ type: 'layout-shift', buffered: true })
    addEventListener('securitypolicyviolation', (event) => seen.violations.push(event.violatedDirective))
  })
  await page.goto('/')
  await expect(page.locator('.placeholder-glow')).toHaveCount(0)
  await page.waitForLoadState('networkidle')

  const figures = await page.evaluate(() => {
    const [document] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[]
    const files = performance.getEntriesByType('resource') as PerformanceResourceTiming[]
    const bytesOf = (part: RegExp): number =>
      files.filter(({ name }) => part.test(name)).reduce((total, { transferSize }) => total + transferSize, 0)
    return {
      firstContentfulPaint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null,
      documentBytes: document?.transferSize ?? 0,
      scriptAndStyleBytes: bytesOf(/\.(?:js|css)$/),
      apiBytes: bytesOf(/\/api\//),
      allBytes: bytesOf(/./) + (document?.transferSize ?? 0),
      requests: files.length + 1,
      ...(window as unknown as { seen: { shift: number; violations: string[] } }).seen,
    }
  })
  writeFileSync('artifacts/first-load.json', `${JSON.stringify(figures, null, 2)}\n`)
  console.log(figures)
  expect(figures.documentBytes + figures.scriptAndStyleBytes).toBeLessThanOrEqual(BUDGET)
  expect(figures.firstContentfulPaint).not.toBeNull()
  expect(figures.shift, 'nothing jumps').toBeLessThan(0.02)
  expect(figures.violations).toEqual([])
  expect(missing).toEqual([])
})

test('every icon that the page names is there', async ({ page, request }) => {
  await page.goto('/')
  const named = await page.$$eval('link[rel~=icon], link[rel=apple-touch-icon], link[rel=manifest]', (links) =>
    links.map((link) => (link as HTMLLinkElement).href),
  )
  expect(named.length).toBeGreaterThanOrEqual(4)
  const manifest = await (await request.get('/manifest.webmanifest')).json()
  const icons = (manifest.icons as { src: string }[]).map(({ src }) => new URL(src, page.url()).href)
  for (const href of [...named, ...icons]) {
    const answer = await request.get(href)
    expect(answer.status(), href).toBe(200)
    expect(answer.headers()['content-type'], href).not.toContain('text/html')
  }
})
