import { readFile } from 'node:fs/promises'

import openapiTS, { astToString, COMMENT_HEADER } from 'openapi-typescript'
import { expect, it } from 'vitest'

it('the types of the API are those of its document (else: npm run api-types)', async () => {
  const document = new URL('../../api/openapi.json', import.meta.url)
  const kept = await readFile(new URL('../src/api/schema.d.ts', import.meta.url), 'utf8')
  expect(COMMENT_HEADER + astToString(await openapiTS(document))).toBe(kept)
})
