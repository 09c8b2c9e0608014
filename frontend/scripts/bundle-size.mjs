// Holds the first load to its budget: what a browser fetches for the start page, as gzip sends it.
// `bundle-size.mjs dist` fails when it is more.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'

/** In bytes; the document, its scripts and its styles. */
const BUDGET = 150_000

const root = process.argv[2]
if (!root) {
  console.error('bundle-size: name the folder of the build, as in `bundle-size.mjs dist`')
  process.exit(2)
}

const html = await readFile(join(root, 'index.html'), 'utf8')
const named = [...html.matchAll(/<(?:script|link)\b[^>]*?\b(?:src|href)="\/([^"]+\.(?:js|css))"/g)].map(([, file]) => file)
let total = 0
for (const file of ['index.html', ...new Set(named)]) {
  const bytes = gzipSync(await readFile(join(root, file)), { level: 5 }).length
  total += bytes
  console.log(`${String(bytes).padStart(8)}  ${file}`)
}
console.log(`${String(total).padStart(8)}  of ${BUDGET} bytes for the first load, with gzip`)
if (named.length < 2) {
  console.error('bundle-size: the page names no script or no style; is it a build?')
  process.exit(1)
}
if (total > BUDGET) {
  console.error('bundle-size: the first load is over its budget; load what is large with its route')
  process.exit(1)
}
