/**
 * The token of the link in a mail. It stands behind `#`, so that no server sees it; here it is taken
 * out of the address, so that no history keeps it.
 */
import { ref, watch, type Ref } from 'vue'
import { useRoute, useRouter } from 'vue-router'

/** `another` hears of a second link that is opened on the same page. */
export function useLinkToken(another: () => void = () => {}): Ref<string | null> {
  const route = useRoute()
  const router = useRouter()
  const token = ref<string | null>(null)
  watch(
    () => route.hash,
    (hash) => {
      const found = tokenIn(hash)
      if (found === null) return
      if (token.value !== null) another()
      token.value = found
      // Through the router: it remembers the address that it knows, and would write it back later.
      void router.replace({ query: route.query, hash: '' })
    },
    { immediate: true },
  )
  return token
}

export function tokenIn(hash: string): string | null {
  const token = new URLSearchParams(hash.replace(/^#/, '')).get('token')
  return token === null || token === '' || token.length > 128 ? null : token
}
