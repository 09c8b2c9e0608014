import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'

// @ts-expect-error: a plain script, also run by `npm run icons`
import { renderIcons } from '../scripts/icons.mjs'

describe('the committed icons', () => {
  it('are what the drawing renders to', async () => {
    const icons = (await renderIcons()) as Map<string, Uint8Array>
    expect([...icons.keys()]).toContain('brain-neurodevelopmental-disorders-sysndd.png')
    for (const [name, bytes] of icons) {
      const committed = await readFile(`public/${name}`)
      expect(committed.equals(bytes), `${name}: run \`npm run icons\` and commit`).toBe(true)
    }
  })
})
