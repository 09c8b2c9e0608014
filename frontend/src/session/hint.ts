/**
 * Whether there may be a session.
 *
 * No script sees the session's cookie. Without this note each visitor's page would have to ask who they
 * are, and most would be told 401. It says nothing about who, and the server believes nothing of it.
 */

const KEY = 'sysndd.session'

/** When the session ends unless it is carried on, in milliseconds; `null`: there is none to know of. */
export function readHint(): number | null {
  try {
    const text = localStorage.getItem(KEY)
    const at = text === null ? NaN : Number(text)
    return Number.isFinite(at) ? at : null
  } catch {
    // Storage is forbidden: only the server knows. The time is far enough away to ask for no more.
    return Number.MAX_SAFE_INTEGER
  }
}

export function writeHint(expiresAt: string): void {
  try {
    localStorage.setItem(KEY, String(Date.parse(expiresAt)))
  } catch {
    // See above.
  }
}

export function clearHint(): void {
  try {
    localStorage.removeItem(KEY)
  } catch {
    // See above.
  }
}
