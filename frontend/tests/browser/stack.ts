/** The stack that the tests run against, from the outside. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'

import { expect, type Page } from '@playwright/test'

function setting(name: string): string {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set; \`cargo xtask test browser\` sets it`)
  return value
}

export const SITE = setting('SYSNDD_URL')
const MAILBOX = setting('SYSNDD_MAILBOX')
const PROJECT = setting('SYSNDD_PROJECT')
export const ADMIN = { name: setting('SYSNDD_ADMIN'), password: setting('SYSNDD_ADMIN_PASSWORD') }

const PICTURES = 'artifacts/pictures'
mkdirSync(PICTURES, { recursive: true })

/** A picture of the whole page as it is now, kept among the artifacts. */
export async function picture(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: `${PICTURES}/${name}.png`, fullPage: true, animations: 'disabled' })
}

export async function signIn(page: Page, name = ADMIN.name, password = ADMIN.password): Promise<void> {
  await page.goto('/login')
  await page.getByLabel('User name or address').fill(name)
  await page.getByLabel('Password', { exact: true }).fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await expect(page.getByRole('button', { name: 'Sign out' })).toBeVisible()
}

/** Goes where a link of the page would lead, without a new load. */
export async function visit(page: Page, path: string): Promise<void> {
  await page.goto(path)
  await expect(page.locator('main h1').first()).toBeVisible()
}

interface Mail {
  subject: string
  text: string
}

/** The link in the letter with this subject to this address, once it is there. */
export async function linkFor(address: string, subject: string): Promise<string> {
  let link = ''
  await expect
    .poll(
      async () => {
        const mail = (await mailsTo(address)).find((letter) => letter.subject === subject)
        link = mail?.text.match(/https?:\/\/\S+#token=\S+/)?.[0] ?? ''
        return link
      },
      { message: `a letter "${subject}" to ${address}`, timeout: 120_000 },
    )
    .not.toBe('')
  return link
}

/** Mailpit or MailCatcher: whichever the stack could get. */
async function mailsTo(address: string): Promise<Mail[]> {
  const list = await json('/messages')
  if (Array.isArray(list)) {
    const own = list.filter((mail) => JSON.stringify(mail.recipients).includes(address))
    return Promise.all(
      own.toReversed().map(async ({ id, subject }) => ({ subject, text: await text(`/messages/${id}.plain`) })),
    )
  }
  const page = await json('/api/v1/messages')
  const own = ((page?.messages ?? []) as any[]).filter((mail) => JSON.stringify(mail.To).includes(address))
  return Promise.all(
    own.map(async ({ ID, Subject }) => ({ subject: Subject, text: (await json(`/api/v1/message/${ID}`)).Text })),
  )
}

async function text(path: string): Promise<string> {
  const answer = await fetch(MAILBOX + path)
  return answer.ok ? answer.text() : ''
}

async function json(path: string): Promise<any> {
  try {
    return JSON.parse(await text(path))
  } catch {
    return null
  }
}

/** The containers of the API's replicas. */
export function replicas(): string[] {
  return containers('api')
}

export function containers(service: string): string[] {
  const labels = [`label=dev.sysndd.project=${PROJECT}`, `label=dev.sysndd.service=${service}`]
  return docker('ps', '--all', '--quiet', ...labels.flatMap((label) => ['--filter', label])).split('\n')
}

export function docker(...parameters: string[]): string {
  return execFileSync('docker', parameters, { encoding: 'utf8' }).trim()
}

/** Lets nobody read this table until what is answered is called: whoever dumps it waits. */
export async function holdTable(table: string): Promise<() => void> {
  const client = 'MYSQL_PWD=$MYSQL_ROOT_PASSWORD exec mysql --unbuffered -uroot "$MYSQL_DATABASE"'
  const session = spawn('docker', ['exec', '--interactive', containers('db')[0] ?? '', 'sh', '-c', client])
  session.stdin.write(`LOCK TABLES ${table} WRITE; SELECT 1;\n`)
  const ended = once(session, 'exit').then(() => Promise.reject(new Error(`${table} could not be locked`)))
  await Promise.race([once(session.stdout, 'data'), ended])
  ended.catch(() => {})
  // The lock ends with the session.
  return () => session.stdin.end()
}
