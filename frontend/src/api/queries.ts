/** How the pages ask: one place for what a failure means and how it passes. */
import { QueryClient } from '@tanstack/vue-query'

import { ApiProblem } from './problem'

/** Between two tries while the service does not answer. */
export const OUTAGE_INTERVAL_MS = 3_000

export function makeQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        // Silent retries would only hide a failure for a while; what passes is asked again below.
        retry: false,
        networkMode: 'always',
        staleTime: 10_000,
        refetchInterval: every(false),
      },
      mutations: { networkMode: 'always' },
    },
  })
}

type Interval = number | false

/** Asks again in this rhythm, and while the service does not answer in that of an outage. */
export function every<T>(
  calm: Interval | ((data: T | undefined) => Interval),
): (query: { state: { data: T | undefined; error: Error | null } }) => Interval {
  return ({ state }) => {
    if (isOutage(state.error)) return OUTAGE_INTERVAL_MS
    return typeof calm === 'function' ? calm(state.data) : calm
  }
}

export function isOutage(error: unknown): boolean {
  return error instanceof ApiProblem && error.isOutage
}
