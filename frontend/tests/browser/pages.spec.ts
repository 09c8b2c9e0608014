/** Each page at two widths in both themes: nothing broken, nothing hidden from anybody. */
import { expect, test, type ConsoleMessage, type Page } from '@playwright/test'

import { expectNoBarrier, expectNoBarrierAnyhow, expectStill, settled, watchShifts } from './looks'
import { picture, signIn, SITE } from './stack'

const PUBLIC = ['/', '/entities', '/entities?category=Definitive&sort=disease', '/entities?q=zzzz', '/genes/MECP2', '/genes/NONE', '/login', '/register', '/confirm', '/forgot-password', '/reset-password', '/status', '/nowhere']
const ADMIN = ['/account', '/account/tokens', '/admin/system', '/admin/migrations', '/admin/backups', '/admin/jobs', '/admin/mail', '/admin/users']

const SIZES = { desktop: { width: 1280, height: 860 }, phone: { width: 390, height: 844 } }
const LOOKS = [
  { size: 'desktop', scheme: 'light' },
  { size: 'phone', scheme: 'dark' },
  { size: 'desktop', scheme: 'dark' },
  { size: 'phone', scheme: 'light' },
] as const

/** What a browser complains about. */
function complaints(page: Page): string[] {
  const heard: string[] = []
  page.on('pageerror', (error) => heard.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error' && !isMeant(message)) heard.push(message.text())
  })
  return heard
}

/**
 * A request that is meant to find nothing may say so; and one for which a busy machine took too long, for
 * the page asks again: `look` waits until it has its answer.
 */
function isMeant(message: ConsoleMessage): boolean {
  const { url } = message.location()
  return url.includes('/api/genes/NONE') || (url.includes('/api/') && /status of 50[234]\b/.test(message.text()))
}

async function look(page: Page, path: string, name: string): Promise<void> {
  await page.goto(path)
  await settled(page)
  await expect(page.locator('.problem-panel')).toHaveCount(0)
  await expectStill(page, path)
  await picture(page, `${path.replaceAll(/\W+/g, '-').replaceAll(/^-|-$/g, '') || 'home'}-${name}`)
  await expectNoBarrier(page, path)
}

for (const { size, scheme } of LOOKS) {
  test.describe(`${size}, ${scheme}`, () => {
    test.use({ viewport: SIZES[size], colorScheme: scheme })

    test('public pages', async ({ page }) => {
      const heard = complaints(page)
      await watchShifts(page)
      for (const path of PUBLIC) await look(page, path, `${size}-${scheme}`)
      expect(heard).toEqual([])
    })

    test('pages of the signed-in', async ({ page }) => {
      await signIn(page)
      const heard = complaints(page)
      await watchShifts(page)
      for (const path of ADMIN) await look(page, path, `${size}-${scheme}`)
      expect(heard).toEqual([])
    })
  })
}

test('the table of entities is filtered, sorted and turned by its address', async ({ page }) => {
  await page.goto('/entities')
  await settled(page)
  await page.getByLabel('Gene or disease').fill('mecp')
  await expect(page).toHaveURL(/q=mecp/)
  await expect(page.getByRole('link', { name: 'MECP2' }).first()).toBeVisible()
  await page.getByLabel('Evidence').selectOption('Definitive')
  await expect(page).toHaveURL(/category=Definitive/)
  await page.reload()
  await expect(page.getByLabel('Gene or disease')).toHaveValue('mecp')
  await expect(page.getByLabel('Evidence')).toHaveValue('Definitive')
  await page.getByRole('button', { name: 'Clear' }).click()
  await expect(page).toHaveURL(/\/entities$/)

  await page.getByRole('button', { name: 'Disease' }).click()
  await expect(page.getByRole('columnheader', { name: 'Disease' })).toHaveAttribute('aria-sort', 'ascending')
  await settled(page)
  const first = await page.locator('tbody tr').first().innerText()
  await page.getByRole('button', { name: 'Next' }).click()
  await expect(page).toHaveURL(/cursor=/)
  await settled(page)
  await expect(page.locator('tbody tr').first()).not.toHaveText(first)
  await page.getByRole('button', { name: 'Previous' }).click()
  await expect.poll(() => page.locator('tbody tr').first().innerText()).toBe(first)
  // A cursor that is not one of this list.
  await page.goto('/entities?cursor=made-up')
  await page.getByRole('button', { name: 'Try again' }).click()
  await expect(page.locator('tbody tr').first()).toBeVisible()
})

test('a phone sorts tables as well, and they are tables for whoever hears them', async ({ page }) => {
  await page.setViewportSize(SIZES.phone)
  await page.goto('/entities')
  await settled(page)
  const first = await page.locator('tbody tr').first().innerText()
  await page.getByLabel('Sort by').selectOption('Disease')
  await expect(page).toHaveURL(/sort=disease/)
  await page.getByLabel('Order').selectOption('Descending')
  await expect(page).toHaveURL(/order=desc/)
  await settled(page)
  await expect(page.locator('tbody tr').first()).not.toHaveText(first)
  const row = page.getByRole('table', { name: 'Entities' }).getByRole('row').first()
  await expect(row.getByRole('cell').nth(1)).toContainText('Disease')
  // Nothing takes the focus and shows it nowhere.
  await page.getByLabel('Order').focus()
  await page.keyboard.press('Tab')
  await expect(page.locator('tbody a').first()).toBeFocused()
  await page.goBack()
  await expect(page.getByLabel('Order')).toHaveValue('asc')
})

test('everything is within reach of the keyboard', async ({ page }) => {
  await page.goto('/')
  await settled(page)
  await page.keyboard.press('Tab')
  await expect(page.getByRole('link', { name: 'Skip to content' })).toBeFocused()
  await page.keyboard.press('Enter')
  await page.keyboard.press('Tab')
  await expect(page.getByRole('searchbox', { name: 'Gene or disease' })).toBeFocused()
  await page.keyboard.type('MECP2')
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/\/entities\?q=MECP2/)
  await page.getByRole('link', { name: 'MECP2' }).first().focus()
  await page.keyboard.press('Enter')
  await expect(page.getByRole('heading', { level: 1, name: 'MECP2' })).toBeVisible()
  await expect(page.locator('main')).toBeFocused()
})

test('an administrator tests the mail, and sees the letter leave', async ({ page }) => {
  await signIn(page)
  await page.goto('/admin/mail')
  await page.getByRole('button', { name: 'Test the connection' }).click()
  await expect(page.getByText('The mail server would take letters.')).toBeVisible()
  await page.getByLabel('To', { exact: true }).fill('test@example.org')
  await page.getByRole('button', { name: 'Send' }).click()
  await expect(page.locator('.job-progress [role=status]')).toHaveText('Done', { timeout: 120_000 })
  await picture(page, 'mail-tested')
  await page.getByRole('main').getByRole('link', { name: 'jobs', exact: true }).click()
  await expect(page.getByRole('row').filter({ hasText: 'mail.send' }).first()).toContainText('succeeded')
})

test('an administrator changes what others may do, and nothing about themselves', async ({ page, request }) => {
  await signIn(page)
  const name = `reader.${Date.now().toString(36)}`.slice(0, 20)
  await page.request.post('/api/auth/signup', {
    headers: { origin: new URL(page.url()).origin },
    data: { user_name: name, email: `${name}@example.org`, password: 'correct horse battery', first_name: 'Ada', family_name: 'Reader', comment: 'to read what there is', terms_agreed: true },
  })
  await page.goto(`/admin/users?q=${name}`)
  await page.getByRole('button', { name: `Manage ${name}` }).click()
  const dialog = page.getByRole('dialog')
  await expect(dialog.getByRole('button', { name: 'Save' })).toBeDisabled()
  await dialog.getByLabel('Role').selectOption('Curator')
  await dialog.getByLabel('May sign in').check()
  await picture(page, 'user-dialog')
  await expectNoBarrierAnyhow(page, 'the dialog of a user')
  await dialog.getByRole('button', { name: 'Save' }).click()
  const row = page.getByRole('row').filter({ hasText: name })
  await expect(row).toContainText('Curator')
  await expect(row).toContainText('active')

  // Somebody guesses, and the account rests until an administrator says otherwise.
  const tryToSignIn = async (password: string): Promise<number> => {
    const data = { user_name: name, password }
    return (await request.post('/api/auth/login', { headers: { origin: SITE }, data })).status()
  }
  for (let guess = 0; guess < 6; guess += 1) await tryToSignIn('a guess that is wrong')
  await page.reload()
  await expect(row).toContainText('locked')
  await page.getByRole('button', { name: `Unlock ${name}` }).click()
  await expect(row).toContainText('active')
  expect(await tryToSignIn('correct horse battery')).toBe(200)
  await page.getByRole('button', { name: `Manage ${name}` }).click()
  await dialog.getByLabel('May sign in').uncheck()
  await dialog.getByRole('button', { name: 'Save' }).click()
  await expect(row).toContainText('disabled')
  expect(await tryToSignIn('correct horse battery')).toBeGreaterThanOrEqual(400)

  await page.goto('/admin/users?role=Administrator')
  await page.getByRole('button', { name: /^Manage/ }).first().click()
  await expect(page.getByRole('dialog')).toContainText('your own account')
})
