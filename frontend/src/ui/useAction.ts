/** Something that an administrator does to one thing: once at a time, with a word about how it went. */
import { useMutation, useQueryClient } from '@tanstack/vue-query'
import { computed, type ComputedRef } from 'vue'

import { asProblem, type ApiProblem } from '@/api/problem'
import { useNotices } from './notices'
import { outcomeOf } from './problemWords'

interface Wanted<Input, Output> {
  run: (input: Input) => Promise<Output>
  /** What was done, for the notice; nothing is told without. */
  told?: (input: Input, output: Output) => string
  done?: (output: Output, input: Input) => void
  /** The lists that it changes. */
  refreshes: readonly (readonly string[])[]
  /** Where a dialog shows what went wrong, no notice does. */
  quiet?: boolean
}

export interface Action<Input> {
  run: (input: Input) => void
  busy: ComputedRef<boolean>
  problem: ComputedRef<ApiProblem | null>
  /** Forgets what went wrong. */
  reset: () => void
}

export function useAction<Input, Output>(wanted: Wanted<Input, Output>): Action<Input> {
  const client = useQueryClient()
  const { tell } = useNotices()
  const mutation = useMutation({
    mutationFn: wanted.run,
    onSuccess: (output, input) => {
      if (wanted.told) tell(wanted.told(input, output))
      wanted.done?.(output, input)
    },
    onError: (error) => {
      if (!wanted.quiet) tell(outcomeOf(asProblem(error)), 'bad')
    },
    // Also after a refusal: the list that led to it was old.
    onSettled: () => Promise.all(wanted.refreshes.map((queryKey) => client.invalidateQueries({ queryKey }))),
  })
  return {
    run: (input) => {
      if (!mutation.isPending.value) mutation.mutate(input)
    },
    busy: computed(() => mutation.isPending.value),
    problem: computed(() => (mutation.error.value ? asProblem(mutation.error.value) : null)),
    reset: mutation.reset,
  }
}
