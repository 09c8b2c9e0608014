/** What a reader sees when something goes away in mid-use. */
import { expect, test } from '@playwright/test'

import { ADMIN, docker, picture, replicas, signIn, SITE, visit } from './stack'

// Whatever a test did, the next one finds four replicas that answer.
test.afterEach(async ({ request }) => {
  docker('start', ...replicas())
  await expect
    .poll(async () => (await request.get('/api/health/ready')).status(), { timeout: 120_000 })
    .toBe(200)
})

test('the death of a replica in mid-session is not noticed', async ({ page }) => {
  await signIn(page)
  const failed: string[] = []
  page.on('response', (response) => {
    if (response.status() >= 500) failed.push(`${response.status()} ${response.url()}`)
  })
  page.on('requestfailed', (request) => {
    if (request.failure()?.errorText !== 'net::ERR_ABORTED') failed.push(`failed ${request.url()}`)
  })
  await visit(page, '/entities')
  docker('kill', replicas()[0] ?? '')
  for (const path of ['/admin/users', '/entities?sort=disease', '/genes/MECP2', '/admin/jobs', '/account', '/entities']) {
    await visit(page, path)
    await expect(page.locator('.problem-panel')).toHaveCount(0)
    await expect(page.locator('[aria-busy=true]')).toHaveCount(0)
  }
  await expect(page.getByRole('button', { name: 'Sign out' })).toBeVisible()
  expect(failed).toEqual([])
})

test('a session that ends asks for the password and keeps the place', async ({ page }) => {
  await signIn(page)
  await visit(page, '/admin/jobs?kind=mail.send')
  await expect(page.getByRole('table')).toBeVisible()
  const closed = await page.request.post('/api/auth/logout', { headers: { origin: SITE } })
  expect(closed.status()).toBe(204)

  const dialog = page.getByRole('dialog')
  await expect(dialog).toContainText('Your session is over')
  await picture(page, 'session-over')
  await expect(dialog.getByLabel('User name or address')).toHaveValue(ADMIN.name)
  await expect(dialog.getByLabel('Password', { exact: true })).toBeFocused()
  await dialog.getByLabel('Password', { exact: true }).fill('wrong')
  await dialog.getByRole('button', { name: 'Sign in' }).click()
  await expect(dialog.getByRole('alert')).toBeVisible()
  await dialog.getByLabel('Password', { exact: true }).fill(ADMIN.password)
  await dialog.getByRole('button', { name: 'Sign in' }).click()
  await expect(dialog).toHaveCount(0)
  await expect(page).toHaveURL(/\/admin\/jobs\?kind=mail\.send$/)
  await expect(page.getByRole('table')).toBeVisible()
})

test('a page for the signed-in leads over the sign-in page to where it was meant to', async ({ page }) => {
  await page.goto('/admin/users?role=Administrator')
  await expect(page).toHaveURL(/\/login\?next=/)
  await page.getByLabel('User name or address').fill(ADMIN.name)
  await page.getByLabel('Password', { exact: true }).fill(ADMIN.password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await expect(page).toHaveURL(/\/admin\/users\?role=Administrator$/)
  await expect(page.getByRole('row').filter({ hasText: ADMIN.name })).toBeVisible()
})

test('while no replica answers the page says so, and comes back by itself', async ({ page }) => {
  await visit(page, '/entities')
  await expect(page.locator('.data-table')).toBeVisible()
  docker('stop', '--time', '2', ...replicas())

  // What is there stays, with a word about it; what is not there says why.
  await page.goto('/entities?sort=disease')
  await expect(page.locator('.problem-panel')).toContainText('does not answer at the moment')
  await picture(page, 'api-down')
  await page.goto('/')
  await expect(page.locator('.problem-panel')).toBeVisible()
  await page.goto('/status')
  await expect(page.getByRole('heading', { name: 'What the operator can do' })).toBeVisible()
  await page.goto('/entities?sort=disease')
  await expect(page.locator('.problem-panel')).toBeVisible()

  docker('start', ...replicas())
  await expect(page.locator('.data-table tbody tr').first()).toBeVisible({ timeout: 120_000 })
  await expect(page.locator('.problem-panel')).toHaveCount(0)
})
