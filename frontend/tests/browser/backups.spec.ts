/** The database as a file: made, fetched, brought back, thrown away. */
import { readFile } from 'node:fs/promises'

import { expect, test, type Page } from '@playwright/test'

import { expectNoBarrierAnyhow } from './looks'
import { picture, signIn, visit } from './stack'

test.describe.configure({ mode: 'serial' })

/** The outcome of the job that is followed on the page. */
async function finished(page: Page, label: string): Promise<void> {
  await expect(page.locator('.job-progress')).toContainText(label)
  await expect(page.locator('.job-progress [role=status]')).toHaveText('Done', { timeout: 240_000 })
}

test('a backup is made while its progress is shown, and fetched as a file', async ({ page }) => {
  await signIn(page)
  await visit(page, '/admin/backups')
  await page.getByRole('button', { name: 'Backup now' }).click()
  await expect(page.getByRole('progressbar', { name: 'Backup' })).toBeVisible()
  await finished(page, 'Backup')
  const row = page.getByRole('row').filter({ hasText: 'manual_' }).first()
  await expect(row).toContainText('checked')
  await picture(page, 'backups')

  const [download] = await Promise.all([
    page.waitForEvent('download'),
    row.getByRole('link', { name: /^Download/ }).click(),
  ])
  expect(download.suggestedFilename()).toMatch(/^manual_[\d_-]+\.sql\.zst$/)
  const bytes = await readFile(await download.path())
  // The magic number of zstd.
  expect(bytes.subarray(0, 4).toString('hex')).toBe('28b52ffd')
})

test('only RESTORE restores, and what was entered since is gone', async ({ page }) => {
  await signIn(page)
  // Something that the backup does not know.
  const name = `after.${Date.now().toString(36)}`.slice(0, 20)
  const wish = await page.request.post('/api/auth/signup', {
    headers: { origin: new URL(page.url()).origin },
    data: {
      user_name: name,
      email: `${name}@example.org`,
      password: 'correct horse battery',
      first_name: 'After',
      family_name: 'Wards',
      comment: 'made after the backup',
      terms_agreed: true,
    },
  })
  expect(wish.status()).toBe(202)
  await visit(page, `/admin/users?q=${name}`)
  await expect(page.getByRole('row').filter({ hasText: name })).toBeVisible()

  await visit(page, '/admin/backups')
  const row = page.getByRole('row').filter({ hasText: 'manual_' }).first()
  await row.getByRole('button', { name: /^Restore/ }).click()
  const dialog = page.getByRole('dialog')
  const button = dialog.getByRole('button', { name: 'Restore', exact: true })
  const word = dialog.getByLabel(/Type RESTORE/)
  await expect(button).toBeDisabled()
  for (const wrong of ['restore', 'RESTOR', 'RESTORE ', ' RESTORE', 'RESTORED']) {
    await word.fill(wrong)
    await expect(button).toBeDisabled()
    await word.press('Enter')
    await expect(dialog).toBeVisible()
  }
  await word.fill('RESTORE')
  await expect(button).toBeEnabled()
  await picture(page, 'restore-dialog')
  await expectNoBarrierAnyhow(page, 'the question before a restore')
  await button.click()
  await finished(page, 'Restore')
  await picture(page, 'restore-done')

  // Sessions of before may be over; then the page asks.
  await visit(page, `/admin/users?q=${name}`)
  await expect(page.getByText('Nobody fits these filters')).toBeVisible()
  await visit(page, '/admin/backups')
  await expect(page.getByRole('row').filter({ hasText: 'pre-restore_' }).first()).toBeVisible()
})

test('the server takes nothing but RESTORE either', async ({ page }) => {
  await signIn(page)
  const list = await (await page.request.get('/api/admin/backups')).json()
  const { filename } = list.backups[0]
  const headers = { origin: new URL(page.url()).origin }
  for (const confirm of ['restore', 'RESTORE ', '']) {
    const answer = await page.request.post(`/api/admin/backups/${filename}/restore`, { headers, data: { confirm } })
    expect(answer.status()).toBeGreaterThanOrEqual(400)
    expect(answer.status()).toBeLessThan(500)
  }
})

test('the list is sorted and its state stands in the address', async ({ page }) => {
  await signIn(page)
  await visit(page, '/admin/backups')
  await page.getByRole('button', { name: 'Size' }).click()
  await expect(page).toHaveURL(/sort=size_bytes/)
  await expect(page.getByRole('columnheader', { name: 'Size' })).toHaveAttribute('aria-sort', 'ascending')
  await page.reload()
  await expect(page.getByRole('columnheader', { name: 'Size' })).toHaveAttribute('aria-sort', 'ascending')
  await page.goBack()
  await expect(page.getByRole('columnheader', { name: 'Made' })).toHaveAttribute('aria-sort', 'descending')
})

test('a backup is deleted after a question', async ({ page }) => {
  await signIn(page)
  await visit(page, '/admin/backups')
  const row = page.getByRole('row').filter({ hasText: 'manual_' }).first()
  const name = await row.locator('.mono').first().innerText()
  await row.getByRole('button', { name: /^Delete/ }).click()
  await page.keyboard.press('Escape')
  await expect(page.getByRole('dialog')).toHaveCount(0)
  await expect(row.getByRole('button', { name: /^Delete/ })).toBeFocused()
  await row.getByRole('button', { name: /^Delete/ }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Delete', exact: true }).click()
  await expect(page.getByRole('row').filter({ hasText: name })).toHaveCount(0)
})
