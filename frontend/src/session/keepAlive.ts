/**
 * When a session is to be carried on. Pure.
 *
 * A session that is used lasts: half-way to its end it gets a new term, provided that somebody was at
 * the page lately. A page that was left open does not keep one alive.
 */

/** Somebody who did nothing for so long is not there. */
export const ABSENT_AFTER_MS = 5 * 60_000

/** Never sooner than this after the last one. */
export const MIN_TERM_MS = 30_000

export interface Moment {
  now: number
  /** When the session was last opened or carried on. */
  begunAt: number
  /** When it ends unless it is carried on. */
  expiresAt: number
  /** When somebody last moved, typed or touched. */
  activeAt: number
}

export function isDueForRefresh({ now, begunAt, expiresAt, activeAt }: Moment): boolean {
  if (now >= expiresAt || now - activeAt > ABSENT_AFTER_MS || now - begunAt < MIN_TERM_MS) return false
  return now - begunAt >= (expiresAt - begunAt) / 2
}
