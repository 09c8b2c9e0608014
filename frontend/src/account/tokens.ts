/** Tokens of scripts in words. Pure. */
import type { ScriptToken } from '@/api/types'
import { formatDuration } from '@/format'

/** Names their list; of one's own, so it goes when somebody signs out. */
export const TOKENS = ['own', 'tokens'] as const

/** How long a token may be good, in days. The API takes at most 366. */
export const LIFETIMES = [
  { days: 7, name: 'a week' },
  { days: 30, name: '30 days' },
  { days: 90, name: '90 days' },
  { days: 365, name: 'a year' },
] as const

/** Long enough for most, short enough to be thought of again. */
export const USUAL_DAYS = 90

const DAY_S = 86_400
/** Time to make another one and to put it where it belongs. */
const SOON_S = 3 * DAY_S

export interface Expiry {
  text: string
  soon: boolean
}

/** When it ends, seen from `now`: in days, and on its last day in hours and minutes. */
export function expiryOf({ expires_at: until }: Pick<ScriptToken, 'expires_at'>, now: number): Expiry {
  const seconds = (Date.parse(until) - now) / 1000
  const soon = seconds < SOON_S
  if (seconds <= 0) return { text: 'expired', soon }
  if (seconds < DAY_S) return { text: `in ${formatDuration(Math.max(60, seconds))}`, soon }
  const days = Math.round(seconds / DAY_S)
  return { text: days === 1 ? 'in a day' : `in ${days} days`, soon }
}

/** What to type to try it. */
export function example(origin: string, token: string): string {
  return `curl -H 'Authorization: Bearer ${token}' ${origin}/api/account`
}
