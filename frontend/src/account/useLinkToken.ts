/**
 * The token of the link in a mail. It stands behind `#`, so that no server sees it; here it is taken
 * out of the address, so that no history keeps it.
 */
import { onMounted, ref, type Ref } from 'vue'

export function useLinkToken(): Ref<string | null> {
  const token = ref(tokenIn(location.hash))
  onMounted(() => {
    if (token.value !== null) history.replaceState(history.state, '', location.pathname + location.search)
  })
  return token
}

export function tokenIn(hash: string): string | null {
  const token = new URLSearchParams(hash.replace(/^#/, '')).get('token')
  return token === null || token === '' || token.length > 128 ? null : token
}
