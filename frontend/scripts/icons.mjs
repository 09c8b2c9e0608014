// Renders the PNGs and the .ico from public/favicon.svg. The same drawing gives the same bytes,
// which tests/icons.test.ts holds the committed files to.
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

import { Resvg } from '@resvg/resvg-js'

const PUBLIC = new URL('../public/', import.meta.url)

/** Each icon file that is made from the drawing, by name. */
export async function renderIcons() {
  const svg = await readFile(new URL('favicon.svg', PUBLIC), 'utf8')
  const png = (width) => new Resvg(svg, { fitTo: { mode: 'width', value: width } }).render().asPng()
  return new Map([
    ['brain-neurodevelopmental-disorders-sysndd.png', png(192)],
    ['icon-512.png', png(512)],
    ['favicon.ico', ico([16, 32, 48].map((width) => ({ width, png: png(width) })))],
  ])
}

/** An .ico of PNG images: a 6-byte head, a 16-byte entry for each, then the images. */
function ico(images) {
  const head = Buffer.alloc(6 + 16 * images.length)
  head.writeUInt16LE(1, 2) // 1 = icon
  head.writeUInt16LE(images.length, 4)
  let offset = head.length
  images.forEach(({ width, png }, index) => {
    const entry = 6 + 16 * index
    head.writeUInt8(width, entry)
    head.writeUInt8(width, entry + 1)
    head.writeUInt16LE(1, entry + 4) // colour planes
    head.writeUInt16LE(32, entry + 6) // bits a pixel
    head.writeUInt32LE(png.length, entry + 8)
    head.writeUInt32LE(offset, entry + 12)
    offset += png.length
  })
  return Buffer.concat([head, ...images.map(({ png }) => png)])
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, bytes] of await renderIcons()) {
    await writeFile(new URL(name, PUBLIC), bytes)
    console.log(`${name}: ${bytes.length} bytes`)
  }
}
