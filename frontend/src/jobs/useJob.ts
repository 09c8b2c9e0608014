/** Follows one job until it is over, also across an outage. */
import { useQuery } from '@tanstack/vue-query'
import { computed, watch, type ComputedRef } from 'vue'

import { api, call } from '@/api/client'
import { asProblem, type ApiProblem } from '@/api/problem'
import { OUTAGE_INTERVAL_MS } from '@/api/queries'
import type { Job } from '@/api/types'
import { isOver } from './words'

const LOOK_EVERY_MS = 700

export interface FollowedJob {
  job: ComputedRef<Job | null>
  /** Why nobody can say how far it is; it is followed no longer, until `again`. */
  lost: ComputedRef<ApiProblem | null>
  again: () => void
  /** Whether there is a job that is followed, and it is not over. */
  running: ComputedRef<boolean>
}

/** `ended` hears of the end of each job that was seen to run. */
export function useJob(jobId: () => number | null, ended: (job: Job) => void = () => {}): FollowedJob {
  const query = useQuery({
    queryKey: computed(() => ['job', jobId()]),
    queryFn: ({ signal }) =>
      call(api.GET('/api/jobs/{job_id}', { params: { path: { job_id: jobId() ?? 0 } }, signal })),
    enabled: computed(() => jobId() !== null),
    refetchInterval: ({ state: { data, error } }) => {
      if (error) return passes(asProblem(error)) ? OUTAGE_INTERVAL_MS : false
      return data && isOver(data.status) ? false : LOOK_EVERY_MS
    },
    // Also while the window is behind another: whoever waits does something else.
    refetchIntervalInBackground: true,
    staleTime: 0,
  })
  const job = computed(() => (jobId() === null ? null : (query.data.value ?? null)))

  watch(
    () => (job.value && isOver(job.value.status) ? job.value : null),
    (over) => {
      if (over) ended(over)
    },
  )

  const lost = computed(() => {
    const problem = jobId() !== null && query.error.value ? asProblem(query.error.value) : null
    return problem && !passes(problem) ? problem : null
  })

  return {
    job,
    lost,
    again: () => void query.refetch(),
    running: computed(() => jobId() !== null && !lost.value && !(job.value && isOver(job.value.status))),
  }
}

/** Whether asking again later is worth it. */
function passes({ isOutage, kind }: ApiProblem): boolean {
  return isOutage || kind === 'too_many'
}
