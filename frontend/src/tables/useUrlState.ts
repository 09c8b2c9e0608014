/** The state of a table in the address of the page. */
import { computed, type ComputedRef } from 'vue'
import { useRoute, useRouter } from 'vue-router'

import { readQuery, writeQuery, type Fields } from './urlState'

export interface UrlState<State> {
  state: ComputedRef<State>
  /** Changes some fields: a step that "back" takes back, unless `replace` says that it is none. */
  change: (patch: Partial<State>, how?: { replace?: boolean }) => void
}

export function useUrlState<State extends object>(fields: Fields<State>): UrlState<State> {
  const route = useRoute()
  const router = useRouter()
  const state = computed(() => readQuery(fields, route.query))
  return {
    state,
    change: (patch, { replace = false } = {}) => {
      const query = writeQuery(fields, { ...state.value, ...patch }, route.query)
      void router[replace ? 'replace' : 'push']({ query, hash: route.hash })
    },
  }
}
