/** A query as the pages take it: what there is, what went wrong, whether more is on its way. */
import { computed, type ComputedRef } from 'vue'

import { asProblem, type ApiProblem } from './problem'

export interface Loaded<T> {
  data: ComputedRef<T | undefined>
  problem: ComputedRef<ApiProblem | null>
  busy: ComputedRef<boolean>
  retry: () => void
}

interface QueryLike<T> {
  data: { value: T | undefined }
  error: { value: Error | null }
  isFetching: { value: boolean }
  refetch: () => unknown
}

export function loaded<T>(query: QueryLike<T>): Loaded<T> {
  return {
    data: computed(() => query.data.value),
    problem: computed(() => (query.error.value ? asProblem(query.error.value) : null)),
    busy: computed(() => query.isFetching.value),
    retry: () => void query.refetch(),
  }
}
