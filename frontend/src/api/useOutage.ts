/** Whether what is on the page may be old because the service does not answer at the moment. */
import { useQueryClient } from '@tanstack/vue-query'
import { onScopeDispose, ref, type Ref } from 'vue'

import { isOutage } from './queries'

export function useOutage(): Ref<boolean> {
  const cache = useQueryClient().getQueryCache()
  const outage = ref(false)
  const look = (): void => {
    // Where nothing is there yet, the page says so in its place.
    outage.value = cache
      .getAll()
      .some((query) => query.isActive() && query.state.data !== undefined && isOutage(query.state.error))
  }
  onScopeDispose(cache.subscribe(look))
  look()
  return outage
}
