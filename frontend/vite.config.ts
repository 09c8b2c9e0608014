import { fileURLToPath } from 'node:url'

import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'

// Where `npm run dev` finds a running stack.
const stack = process.env['SYSNDD_URL'] ?? 'http://localhost:8080'

export default defineConfig({
  plugins: [vue()],
  resolve: {
    alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) },
  },
  build: {
    // The first that have all that the source uses as it is, such as `AbortSignal.any` and `toSorted`.
    target: ['chrome116', 'firefox124', 'safari17.4'],
    // The content security policy has no `data:` for scripts and fonts: keep assets as files.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  server: {
    // The API takes changes only from its own pages; for this server they are.
    proxy: { '/api': { target: stack, changeOrigin: true, headers: { origin: stack } } },
  },
  test: {
    include: ['tests/**/*.test.ts'],
    restoreMocks: true,
    environmentOptions: { happyDOM: { url: 'http://localhost:3000/' } },
  },
})
