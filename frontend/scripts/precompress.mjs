// Writes a .gz and a .br beside each text file of a build, so that the edge compresses nothing
// that never changes. A file that does not shrink gets none.
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const TEXT = /\.(?:css|html|js|json|map|svg|txt|webmanifest)$/

const root = process.argv[2]
if (!root) {
  console.error('precompress: name the folder of the build, as in `precompress.mjs dist`')
  process.exit(2)
}

let files = 0
for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !TEXT.test(entry.name)) continue
  const path = join(entry.parentPath, entry.name)
  const plain = await readFile(path)
  const packed = {
    gz: gzipSync(plain, { level: 9 }),
    br: brotliCompressSync(plain, {
      params: { [constants.BROTLI_PARAM_SIZE_HINT]: plain.length },
    }),
  }
  for (const [suffix, bytes] of Object.entries(packed)) {
    if (bytes.length < plain.length) await writeFile(`${path}.${suffix}`, bytes)
  }
  files += 1
}
console.log(`precompressed ${files} files under ${root}`)
