/**
 * Who is signed in, for all pages.
 *
 * The account is a query like others, so that an outage passes by itself. A 401 in mid-use does not
 * throw anybody out: `over` is set, a dialog asks for the password, and the page stays as it is.
 */
import { useQuery, useQueryClient, type QueryClient } from '@tanstack/vue-query'
import { computed, ref, type ComputedRef, type Ref } from 'vue'

import { api, call, onProblem } from '@/api/client'
import { problemOf } from '@/api/loaded'
import { ApiProblem } from '@/api/problem'
import type { Account } from '@/api/types'
import { clearHint, readHint, writeHint } from './hint'

export const ACCOUNT_KEY = ['account'] as const

/** How the keys begin of what only one account, or only some accounts, may see. */
const PRIVATE: ReadonlySet<unknown> = new Set(['admin', 'own'])

const over = ref(false)

export interface Session {
  /** `undefined` while it is not known, `null`: nobody is signed in. */
  account: ComputedRef<Account | null | undefined>
  isAdministrator: ComputedRef<boolean>
  /** Why it could not be found out. */
  problem: ComputedRef<ApiProblem | null>
  /** Whether the session ended while it was used. */
  over: Ref<boolean>
  signIn: (userName: string, password: string) => Promise<void>
  signOut: () => Promise<void>
  /** Whoever was signed in does not want to be any more. */
  forget: () => void
  ask: () => void
}

export function useSession(): Session {
  const client = useQueryClient()
  const query = useQuery({ queryKey: ACCOUNT_KEY, queryFn: ({ signal }) => whoAmI(client, signal), staleTime: 60_000 })

  const problem = problemOf(query)
  const forget = (): void => {
    clearHint()
    over.value = false
    client.setQueryData(ACCOUNT_KEY, null)
    forgetPrivate(client)
  }

  return {
    account: computed(() => query.data.value),
    isAdministrator: computed(() => query.data.value?.role === 'Administrator'),
    problem: computed(() => (query.data.value ? null : problem.value)),
    over,
    signIn: (userName, password) => signIn(client, userName, password),
    signOut: async () => {
      await call(api.POST('/api/auth/logout'))
      forget()
    },
    forget,
    ask: () => void query.refetch(),
  }
}

/** `null` when nobody is signed in; asks nobody where there cannot be a session. */
async function whoAmI(client: QueryClient, signal: AbortSignal): Promise<Account | null> {
  if (readHint() === null) return null
  try {
    return await call(api.GET('/api/account', { signal }))
  } catch (error) {
    if (!(error instanceof ApiProblem) || error.kind !== 'signed_out') throw error
    // In mid-use the dialog asks for the password; whoever it was stays where they are until they answer it.
    const known = client.getQueryData<Account | null>(ACCOUNT_KEY)
    if (known) return known
    clearHint()
    return null
  }
}

async function signIn(client: QueryClient, userName: string, password: string): Promise<void> {
  const before = client.getQueryData<Account | null>(ACCOUNT_KEY)
  const session = await call(api.POST('/api/auth/login', { body: { user_name: userName, password } }))
  writeHint(session.expires_at)
  const account = await call(api.GET('/api/account'))
  client.setQueryData(ACCOUNT_KEY, account)
  over.value = false
  // What another account saw is none of this one's business.
  if (before && before.user_id !== account.user_id) {
    forgetPrivate(client)
  }
  await client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== ACCOUNT_KEY[0] })
}

function forgetPrivate(client: QueryClient): void {
  client.removeQueries({ predicate: ({ queryKey }) => PRIVATE.has(queryKey[0]) })
}

/** Notices the end of the session in whatever request meets it. */
export function watchForTheEnd(client: QueryClient): void {
  onProblem((problem) => {
    const account = client.getQueryData<Account | null>(ACCOUNT_KEY)
    if (problem.kind === 'signed_out' && account) over.value = true
  })
}
