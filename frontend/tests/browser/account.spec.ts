/** An account, from the form over the letter to the first sign-in; and a forgotten password. */
import { expect, test } from '@playwright/test'

import { linkFor, picture, signIn } from './stack'

const stamp = Date.now().toString(36)
const NAME = `pierre.${stamp}`.slice(0, 20)
const ADDRESS = `${NAME}@example.org`
const PASSWORD = 'correct horse battery'
const NEW_PASSWORD = 'a quite different one'

test.describe.configure({ mode: 'serial' })

test('an account is opened by the link in a letter, and not before', async ({ page }) => {
  await page.goto('/register')
  await page.getByRole('button', { name: 'Open the account' }).click()
  await expect(page.getByLabel('First name')).toBeFocused()
  await expect(page.getByText('An account needs your agreement.')).toBeVisible()
  await picture(page, 'register-refused')

  await page.getByLabel('First name').fill('Pierre')
  await page.getByLabel('Family name').fill('Curie')
  await page.getByLabel('Address').fill(ADDRESS)
  await page.getByLabel('User name').fill(NAME)
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD)
  await page.getByLabel('What do you want the account for?').fill('to curate what I know of')
  await page.getByLabel(/I agree/).check()
  await page.getByRole('button', { name: 'Open the account' }).click()
  await expect(page.getByRole('heading', { name: 'Look into your mail' })).toBeFocused()
  await picture(page, 'register-done')

  const link = await linkFor(ADDRESS, 'Confirm your address for SysNDD')
  await page.goto('/login')
  await page.getByLabel('User name or address').fill(NAME)
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await expect(page.getByRole('alert')).toContainText('not confirmed yet')

  await page.goto(link)
  await expect(page).toHaveURL(/\/confirm$/)
  await picture(page, 'confirm')
  // Whoever sits down at this browser later finds the link nowhere.
  await page.getByRole('link', { name: 'Entities' }).click()
  await expect(page).toHaveURL(/\/entities$/)
  await page.goBack()
  await expect(page.getByRole('alert')).toContainText('Open the whole link')
  await expect(page).toHaveURL(/\/confirm$/)
  // The link is opened on the page that is open.
  await page.goto(link)
  await expect(page).toHaveURL(/\/confirm$/)
  await page.getByRole('button', { name: 'Confirm the address' }).click()
  await expect(page.getByRole('heading', { name: 'Your address is confirmed' })).toBeVisible()
  await signIn(page, NAME, PASSWORD)
  await page.getByRole('link', { name: 'Your account' }).click()
  await expect(page.getByText(ADDRESS)).toBeVisible()
  await picture(page, 'account')

  // The link is used up.
  await page.goto(link)
  await page.getByRole('button', { name: 'Confirm the address' }).click()
  await expect(page.getByRole('alert')).toContainText('used already')
})

test('whoever is no administrator is told so', async ({ page }) => {
  await signIn(page, NAME, PASSWORD)
  await expect(page.getByRole('link', { name: 'Admin', exact: true })).toHaveCount(0)
  await page.goto('/admin/backups')
  await expect(page.getByRole('heading', { name: 'For administrators' })).toBeVisible()
  await picture(page, 'admin-refused')
  const answer = await page.request.get('/api/admin/users')
  expect(answer.status()).toBe(403)
})

test('a forgotten password is replaced by the link in a letter', async ({ page }) => {
  await page.goto('/login')
  await page.getByRole('link', { name: 'Forgot your password?' }).click()
  await page.getByLabel('Address').fill(ADDRESS)
  await page.getByRole('button', { name: 'Send the link' }).click()
  await expect(page.getByRole('heading', { name: 'Look into your mail' })).toBeVisible()

  await page.goto(await linkFor(ADDRESS, 'Set a new password for SysNDD'))
  await expect(page).toHaveURL(/\/reset-password$/)
  await page.getByLabel('New password').fill('short')
  await page.getByRole('button', { name: 'Set the password' }).click()
  await expect(page.getByLabel('New password')).toHaveAttribute('aria-invalid', 'true')
  await page.getByLabel('New password').fill(NEW_PASSWORD)
  await picture(page, 'reset-password')
  await page.getByRole('button', { name: 'Set the password' }).click()
  await expect(page.getByRole('heading', { name: 'Your new password is set' })).toBeVisible()
  await signIn(page, NAME, NEW_PASSWORD)
})

test('a link that was cut in two is explained', async ({ page }) => {
  await page.goto('/confirm')
  await expect(page.getByRole('alert')).toContainText('Open the whole link')
})
