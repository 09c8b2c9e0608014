/** What a reader sees when something goes away in mid-use. */
import { expect, test } from '@playwright/test'

import { expectNoBarrierAnyhow } from './looks'
import { ADMIN, containers, docker, holdTable, picture, replicas, signIn, SITE, visit } from './stack'

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
  await expectNoBarrierAnyhow(page, 'the dialog of a session that is over')
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

test('a session whose end shows on the way to another page is not left either', async ({ page }) => {
  await signIn(page)
  await visit(page, '/admin/backups')
  await page.request.post('/api/auth/logout', { headers: { origin: SITE } })
  // So late that the page asks who is signed in as well.
  await page.clock.setFixedTime(Date.now() + 120_000)
  await page.getByRole('link', { name: 'Users' }).click()
  const dialog = page.getByRole('dialog')
  await expect(dialog).toContainText('Your session is over')
  await page.keyboard.press('Escape')
  await page.keyboard.press('Escape')
  await expect(dialog).toBeVisible()
  await expect(page).toHaveURL(/\/admin\/users$/)
  await dialog.getByLabel('Password', { exact: true }).fill(ADMIN.password)
  await dialog.getByRole('button', { name: 'Sign in' }).click()
  await expect(dialog).toHaveCount(0)
  await expect(page).toHaveURL(/\/admin\/users$/)
  await expect(page.getByRole('row').filter({ hasText: ADMIN.name }).first()).toBeVisible()
})

test('a letter that cannot leave is called off, and sent after all', async ({ page }) => {
  await signIn(page)
  docker('stop', '--time', '2', ...containers('mail'))
  try {
    const answer = await page.request.post('/api/admin/smtp/test', { headers: { origin: SITE }, data: { to: 'late@example.org' } })
    const { job_id: job } = await answer.json()
    await visit(page, '/admin/jobs?kind=mail.send')
    const row = page.getByRole('row').filter({ has: page.getByRole('cell', { name: String(job), exact: true }) })
    await expect(row).toContainText('Waits to be tried again')
    await row.getByRole('button', { name: `Cancel job ${job}` }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel the job' }).click()
    await expect(row).toContainText('cancelled')
    docker('start', ...containers('mail'))
    await row.getByRole('button', { name: `Retry job ${job}` }).click()
    await expect(row).toContainText('succeeded', { timeout: 120_000 })
  } finally {
    docker('start', ...containers('mail'))
  }
})

test('a backup is followed after a reload, and made although the replica that makes it dies', async ({ page }) => {
  await signIn(page)
  await visit(page, '/admin/backups')
  const release = await holdTable('entities')
  try {
    await page.getByRole('button', { name: 'Backup now' }).click()
    await expect(page.locator('.job-progress')).toContainText('Dumping')
    await page.reload()
    await expect(page.locator('.job-progress')).toContainText('Dumping')
    await expect(page.getByRole('button', { name: 'Backup now' })).toBeDisabled()
    const { jobs } = await (await page.request.get('/api/admin/jobs?kind=backup.create&limit=1')).json()
    docker('kill', jobs[0].lease_owner)
  } finally {
    release()
  }
  await expect(page.locator('.job-progress [role=status]')).toHaveText('Done', { timeout: 240_000 })
  await expect(page.getByText('Backup: done.')).toBeVisible()
  await expect(page.locator('.problem-panel')).toHaveCount(0)
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

test('while no replica answers the page says so, and comes back by itself', async ({ page, context }) => {
  await signIn(page)
  await page.request.post('/api/admin/smtp/test', { headers: { origin: SITE }, data: { to: 'jobs@example.org' } })
  const open = await context.newPage()
  await visit(open, '/admin/jobs')
  await expect(open.locator('tbody[role] tr').first()).toBeVisible()
  docker('stop', '--time', '2', ...replicas())

  // What is there stays, with a word about it; what is not there says why.
  await expect(open.locator('.notice-outage')).toBeVisible()
  await expect(open.locator('tbody[role] tr').first()).toBeVisible()
  await expect(open.locator('.problem-panel, .table-strip')).toHaveCount(0)
  await picture(open, 'outage-notice')
  await expectNoBarrierAnyhow(open, 'the notice of an outage')
  await page.goto('/entities?sort=disease')
  await expect(page.locator('.problem-panel')).toContainText('does not answer at the moment')
  await picture(page, 'api-down')
  await expectNoBarrierAnyhow(page, 'what stands where nothing could be loaded')
  await page.goto('/genes/MECP2')
  await expect(page.locator('.problem-panel')).toBeVisible()
  await page.goto('/status')
  await expect(page.getByRole('heading', { name: 'What the operator can do' })).toBeVisible()
  await page.goto('/entities?sort=disease')
  await expect(page.locator('.problem-panel')).toBeVisible()

  docker('start', ...replicas())
  await expect(page.locator('.data-table tbody[role] tr').first()).toBeVisible({ timeout: 120_000 })
  await expect(page.locator('.problem-panel')).toHaveCount(0)
  await expect(open.locator('.notice-outage')).toHaveCount(0)
  await expect(open.locator('tbody[role] tr').first()).toBeVisible()
})
