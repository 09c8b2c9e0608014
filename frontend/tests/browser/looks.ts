/** What holds of every page, whatever it shows. */
import { AxeBuilder } from '@axe-core/playwright'
import { expect, type Page } from '@playwright/test'

/** Nothing is on its way any more. */
export async function settled(page: Page): Promise<void> {
  await expect(page.locator('main h1').first()).toBeVisible()
  await expect(page.locator('.placeholder-glow')).toHaveCount(0)
  await expect(page.locator('[aria-busy=true]')).toHaveCount(0)
}

/** Colours that turn into others are at their end: in between they are nobody's choice. */
async function faded(page: Page): Promise<void> {
  await page.evaluate(async () => {
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))
    const fading = document.getAnimations().filter((it) => it instanceof CSSTransition)
    await Promise.allSettled(fading.map(({ finished }) => finished))
  })
}

/** Nothing is wider than the window, and nothing keeps anybody out. */
export async function expectNoBarrier(page: Page, what: string): Promise<void> {
  const width = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
  expect(width, `${what} is wider than the window`).toBeLessThanOrEqual(0)
  await faded(page)
  const { violations } = await new AxeBuilder({ page }).analyze()
  const bad = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
  const words = bad.map(({ id, nodes }) => `${what}: ${id} at ${nodes.map(({ target }) => target.join(' ')).join(', ')}`)
  expect(words).toEqual([])
}

/** The same for what is there as it is, without a new load: also as a phone in the dark has it. */
export async function expectNoBarrierAnyhow(page: Page, what: string): Promise<void> {
  await expectNoBarrier(page, what)
  const size = page.viewportSize()
  await page.setViewportSize({ width: 390, height: 844 })
  await page.emulateMedia({ colorScheme: 'dark' })
  await expectNoBarrier(page, `${what}, on a phone in the dark`)
  await page.emulateMedia({ colorScheme: null })
  if (size) await page.setViewportSize(size)
}

interface Shift {
  value: number
  /** What moved. */
  moved: string[]
}

/** Listens, in each document that is loaded from now on, for what jumps without anybody having done anything. */
export async function watchShifts(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const shifts: Shift[] = []
    Object.assign(window, { shifts })
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as unknown as { value: number; hadRecentInput: boolean; sources: { node: Node | null }[] }[]) {
        const moved = entry.sources.map(({ node }) => (node instanceof Element ? node.outerHTML.slice(0, 80) : String(node)))
        if (!entry.hadRecentInput) shifts.push({ value: entry.value, moved })
      }
    }).observe({ type: 'layout-shift', buffered: true })
  })
}

/** What Google calls good is 0.1. */
const STILL = 0.05

export async function expectStill(page: Page, what: string): Promise<void> {
  const shifts = await page.evaluate(() => (window as unknown as { shifts: Shift[] }).shifts)
  const total = shifts.reduce((sum, { value }) => sum + value, 0)
  expect(total, `${what} jumps: ${JSON.stringify(shifts)}`).toBeLessThan(STILL)
}
