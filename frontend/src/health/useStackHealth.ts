import { useQuery, useQueryClient } from '@tanstack/vue-query'
import { computed, onScopeDispose, ref, type ComputedRef, type Ref } from 'vue'

import { probe } from './probe'
import { foldSweep, type Roster } from './roster'
import { sweep } from './sweep'

const QUERY_KEY = ['stack-health'] as const

/** Between two sweeps while all is well, in milliseconds. */
const CALM_INTERVAL_MS = 5_000

/** Between two sweeps while something is wrong: the end of it should show soon. */
const ALERT_INTERVAL_MS = 2_000

export interface StackHealth {
  /** `undefined` until the first sweep ended. */
  roster: Ref<Roster | undefined>
  /** Whether a sweep is under way. */
  checking: Ref<boolean>
  paused: Ref<boolean>
  /** The clock of the page, in milliseconds; ticks every second. */
  now: Ref<number>
  /** Since the last sweep, in milliseconds. */
  age: ComputedRef<number>
  checkNow: () => void
}

/** Keeps the roster fresh while the page is looked at; a hidden tab asks nothing. */
export function useStackHealth(): StackHealth {
  const client = useQueryClient()
  const paused = ref(false)

  const query = useQuery({
    queryKey: QUERY_KEY,
    queryFn: async ({ signal }): Promise<Roster> => {
      const previous = client.getQueryData<Roster>(QUERY_KEY)
      const known = previous?.replicas.filter(({ answering }) => answering).length ?? 0
      return foldSweep(previous, await sweep(probe, known, signal), Date.now())
    },
    // A computed option, so that pausing and resuming take effect at once.
    refetchInterval: computed(() => (paused.value ? false : intervalAfter)),
  })

  const now = ref(Date.now())
  const clock = setInterval(() => {
    now.value = Date.now()
  }, 1000)
  onScopeDispose(() => clearInterval(clock))

  return {
    roster: query.data,
    checking: query.isFetching,
    paused,
    now,
    age: computed(() => Math.max(0, now.value - (query.data.value?.checkedAt ?? now.value))),
    checkNow: () => {
      void query.refetch()
    },
  }
}

function intervalAfter({ state }: { state: { data: Roster | undefined } }): number {
  return isCalm(state.data) ? CALM_INTERVAL_MS : ALERT_INTERVAL_MS
}

function isCalm(roster: Roster | undefined): boolean {
  return (
    roster !== undefined &&
    roster.failure === null &&
    roster.replicas.every(({ answering, report }) => answering && report.status === 'ready')
  )
}
