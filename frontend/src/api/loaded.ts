/** A query as the pages take it: what there is, what went wrong, whether more is on its way. */
import type { UseQueryReturnType } from '@tanstack/vue-query'
import { computed, type ComputedRef } from 'vue'

import { asProblem, type ApiProblem } from './problem'

export interface Loaded<T> {
  data: ComputedRef<T | undefined>
  problem: ComputedRef<ApiProblem | null>
  busy: ComputedRef<boolean>
  retry: () => void
}

export function loaded<T>(query: UseQueryReturnType<T, Error>): Loaded<T> {
  return {
    data: computed(() => query.data.value),
    problem: computed(() => (query.error.value ? asProblem(query.error.value) : null)),
    busy: computed(() => query.isFetching.value),
    retry: () => void query.refetch(),
  }
}
