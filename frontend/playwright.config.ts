/**
 * The pages in a real browser, against a real stack: `cargo xtask test browser` brings one up and runs
 * this. By hand, against a stack that is there:
 *
 *   SYSNDD_URL=http://localhost:8080 SYSNDD_MAILBOX=http://localhost:8025 \
 *   SYSNDD_ADMIN=marie SYSNDD_ADMIN_PASSWORD=… npm run test:browser
 */
import { defineConfig } from '@playwright/test'

export default defineConfig({
  testDir: 'tests/browser',
  testMatch: '*.spec.ts',
  outputDir: 'artifacts/results',
  // One stack for all of them, whose state some change.
  workers: 1,
  fullyParallel: false,
  // The machine may be busy: deadlines are generous, and nothing is asserted on time.
  timeout: 600_000,
  expect: { timeout: 30_000 },
  reporter: [['list']],
  use: {
    baseURL: process.env['SYSNDD_URL'] ?? 'http://localhost:8080',
    // Less than a test has, so that what does not come is named.
    actionTimeout: 60_000,
    navigationTimeout: 60_000,
    trace: 'retain-on-failure',
    screenshot: 'only-on-failure',
    launchOptions: {
      executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
    },
  },
})
