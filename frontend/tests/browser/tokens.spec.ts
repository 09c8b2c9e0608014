/** A token for a script: made, used outside of the browser, revoked. */
import { expect, test, type APIRequestContext, type APIResponse } from '@playwright/test'

import { expectNoBarrier, settled } from './looks'
import { ADMIN, picture, signIn } from './stack'

const SIZES = [
  { name: 'desktop', width: 1280, height: 860 },
  { name: 'phone', width: 390, height: 844 },
]

for (const { name: size, width, height } of SIZES) {
  test.describe(size, () => {
    test.use({ viewport: { width, height } })

    // `request` is no part of the page: it has no cookie.
    test('a token is shown once, acts for its owner, and ends when it is revoked', async ({ page, request }) => {
      const label = `export ${Date.now().toString(36)}`
      await signIn(page)
      await page.goto('/account')
      await page.getByRole('link', { name: 'Tokens for scripts' }).click()
      await settled(page)

      await page.getByRole('button', { name: 'Make the token' }).click()
      await expect(page.getByLabel('What is it for?')).toBeFocused()
      await page.getByLabel('What is it for?').fill(label)
      await page.getByLabel('Good for').selectOption('a week')
      await page.getByRole('button', { name: 'Make the token' }).click()

      const dialog = page.getByRole('dialog')
      await expect(dialog.getByRole('heading', { name: `The token for ${label}` })).toBeVisible()
      const token = await dialog.getByLabel('Token', { exact: true }).inputValue()
      expect(token).toMatch(/^[0-9a-f]{64}$/)
      await expectNoBarrier(page, 'the new token')
      await picture(page, `token-made-${size}`)
      await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
      await dialog.getByRole('button', { name: 'Copy' }).click()
      await expect(dialog.getByRole('status')).toHaveText('Copied.')
      expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(token)
      await dialog.getByRole('button', { name: 'I have it' }).click()
      await expect(dialog).toHaveCount(0)

      const entry = page.locator('tbody tr').filter({ hasText: label })
      await expect(entry).toContainText('in 7 days')
      await page.reload()
      await expect(entry).toBeVisible()
      expect(await page.content(), 'the page forgets it').not.toContain(token)
      await settled(page)
      await expectNoBarrier(page, 'the list of tokens')
      await picture(page, `tokens-${size}`)

      const account = await ask(request, token, 'get', '/api/account')
      expect(account.status()).toBe(200)
      expect((await account.json()).user_name).toBe(ADMIN.name)
      const another = await ask(request, token, 'post', '/api/account/tokens', { label: 'more', days: 1 })
      expect(another.status(), 'a token makes no others').toBe(403)

      await page.getByRole('button', { name: `Revoke ${label}` }).click()
      await dialog.getByRole('button', { name: 'Cancel' }).click()
      expect((await ask(request, token, 'get', '/api/account')).status()).toBe(200)
      await page.getByRole('button', { name: `Revoke ${label}` }).click()
      await dialog.getByRole('button', { name: 'Revoke' }).click()
      await expect(entry).toHaveCount(0)
      await expect(page.getByText(`The token for ${label} is good for nothing any more.`)).toBeVisible()
      expect((await ask(request, token, 'get', '/api/account')).status()).toBe(401)
    })
  })
}

function ask(
  request: APIRequestContext,
  token: string,
  method: 'get' | 'post',
  path: string,
  data?: object,
): Promise<APIResponse> {
  const headers = { authorization: `Bearer ${token}` }
  return data === undefined ? request[method](path, { headers }) : request[method](path, { headers, data })
}
