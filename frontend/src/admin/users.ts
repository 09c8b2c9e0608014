/** Accounts in words. Pure. */
import type { Role, User, UserStatus } from '@/api/types'
import type { Tone } from '@/jobs/words'

/** Strongest first. */
export const ROLES = ['Administrator', 'Curator', 'Reviewer', 'Viewer'] as const satisfies readonly Role[]

export const ROLE_MEANING: Record<Role, string> = {
  Administrator: 'Operates the site: accounts, backups, migrations.',
  Curator: 'Decides on entities and on the reviews of others.',
  Reviewer: 'Reviews entities.',
  Viewer: 'Reads.',
}

export const USER_STATUSES = ['unconfirmed', 'active', 'disabled'] as const satisfies readonly UserStatus[]

const TONES: Record<UserStatus, Tone> = { unconfirmed: 'warn', active: 'good', disabled: 'bad' }

/** What the account may do, with what keeps it from that. */
export function badgeOf(user: Pick<User, 'status' | 'locked_until'>, now: number): { text: string; tone: Tone } {
  if (user.status === 'active' && isLocked(user, now)) return { text: 'locked', tone: 'warn' }
  return { text: user.status, tone: TONES[user.status] }
}

/** Whether it rests because of wrong passwords. */
export function isLocked({ locked_until: until }: Pick<User, 'locked_until'>, now: number): boolean {
  return until != null && Date.parse(until) > now
}
