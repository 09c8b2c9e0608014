/** A query as the pages take it: what there is, what went wrong, whether more is on its way. */
import type { UseQueryReturnType } from '@tanstack/vue-query'
import { computed, shallowRef, watch, type ComputedRef } from 'vue'

import { asProblem, type ApiProblem } from './problem'

export interface Loaded<T> {
  data: ComputedRef<T | undefined>
  problem: ComputedRef<ApiProblem | null>
  busy: ComputedRef<boolean>
  /** Whether `data` answers the question before this one. */
  old: ComputedRef<boolean>
  retry: () => void
}

export function loaded<T>(query: UseQueryReturnType<T, Error>): Loaded<T> {
  return {
    data: computed(() => query.data.value),
    problem: problemOf(query),
    busy: computed(() => query.isFetching.value),
    old: computed(() => query.isPlaceholderData.value),
    retry: () => void query.refetch(),
  }
}

/**
 * Why a query has no answer. One that never had any forgets that as soon as it asks again: an outage would
 * come and go on the page every few seconds. Here it stays until there is another answer.
 */
export function problemOf<T>(query: UseQueryReturnType<T, Error>): ComputedRef<ApiProblem | null> {
  const now = computed(() => (query.error.value ? asProblem(query.error.value) : null))
  const outage = shallowRef<ApiProblem | null>(null)
  watch(
    () => now.value ?? (query.isSuccess.value && !query.isPlaceholderData.value),
    (answer) => {
      if (answer !== false) outage.value = answer !== true && answer.isOutage ? answer : null
    },
    { immediate: true, flush: 'sync' },
  )
  return computed(() => now.value ?? outage.value)
}
