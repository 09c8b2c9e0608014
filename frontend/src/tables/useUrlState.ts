/** The state of a table in the address of the page. */
import { computed, type ComputedRef } from 'vue'
import { useRoute, useRouter } from 'vue-router'

import { readQuery, writeQuery, type Fields } from './urlState'

interface How {
  /** It is no step that "back" takes back. */
  replace?: boolean
}

export interface UrlState<State> {
  state: ComputedRef<State>
  /** Changes some fields: a step that "back" takes back. */
  change: (patch: Partial<State>, how?: How) => void
  /** Asks another question: a place in the list of the last one means nothing any more. */
  refine: (patch: Partial<State>, how?: How) => void
}

/** `beginning` is where a list begins, in those fields that say a place in it. */
export function useUrlState<State extends object>(fields: Fields<State>, beginning: Partial<State>): UrlState<State> {
  const route = useRoute()
  const router = useRouter()
  const state = computed(() => readQuery(fields, route.query))
  const change: UrlState<State>['change'] = (patch, { replace = false } = {}) => {
    const query = writeQuery(fields, { ...state.value, ...patch }, route.query)
    void router[replace ? 'replace' : 'push']({ query, hash: route.hash })
  }
  return { state, change, refine: (patch, how) => change({ ...patch, ...beginning }, how) }
}
