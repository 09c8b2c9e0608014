/** Carries the session on while somebody uses the page. */
import { onScopeDispose, watch } from 'vue'

import { api, call } from '@/api/client'
import { readHint, writeHint } from './hint'
import { isDueForRefresh } from './keepAlive'
import { useSession } from './session'

const LOOK_EVERY_MS = 30_000
const SIGNS_OF_LIFE = ['pointerdown', 'keydown', 'scroll', 'touchstart'] as const

export function useKeepAlive(): void {
  const { account, over } = useSession()
  let activeAt = Date.now()
  let begunAt = Date.now()
  let known = readHint()
  let asking = false

  const alive = (): void => {
    activeAt = Date.now()
  }
  for (const sign of SIGNS_OF_LIFE) addEventListener(sign, alive, { passive: true, capture: true })

  const look = async (): Promise<void> => {
    const expiresAt = readHint()
    if (expiresAt === null || !account.value || over.value || asking || document.hidden) return
    if (expiresAt !== known) {
      // Signed in anew, or another tab carried it on.
      known = expiresAt
      begunAt = Date.now()
    }
    if (!isDueForRefresh({ now: Date.now(), begunAt, expiresAt, activeAt })) return
    asking = true
    try {
      const session = await call(api.POST('/api/auth/refresh'))
      writeHint(session.expires_at)
      known = readHint()
      begunAt = Date.now()
    } catch {
      // An outage passes, and the end of the session is noticed elsewhere.
    } finally {
      asking = false
    }
  }
  const timer = setInterval(() => void look(), LOOK_EVERY_MS)
  watch(account, () => void look())

  onScopeDispose(() => {
    clearInterval(timer)
    for (const sign of SIGNS_OF_LIFE) removeEventListener(sign, alive, { capture: true })
  })
}
