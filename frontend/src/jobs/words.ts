/** Jobs in words. Pure. */
import type { AdminJob, Job, JobStatus } from '@/api/types'

export const JOB_STATUSES = ['queued', 'running', 'succeeded', 'failed', 'cancelled'] as const satisfies readonly JobStatus[]

export type Tone = 'good' | 'bad' | 'warn' | 'brand' | 'plain'

const TONES: Record<JobStatus, Tone> = {
  queued: 'plain',
  running: 'brand',
  succeeded: 'good',
  failed: 'bad',
  cancelled: 'warn',
}

export function toneOf(status: JobStatus): Tone {
  return TONES[status]
}

export function isOver(status: JobStatus): boolean {
  return status === 'succeeded' || status === 'failed' || status === 'cancelled'
}

export function canBeCancelled({ status, cancel_requested: asked }: AdminJob): boolean {
  return !isOver(status) && !asked
}

export function canBeRetried({ status }: AdminJob): boolean {
  return status === 'failed' || status === 'cancelled'
}

/** How far it is, from 0 to 1; `null` where nobody knows. */
export function fractionOf({ status, progress }: Pick<Job, 'status' | 'progress'>): number | null {
  if (status === 'succeeded') return 1
  if (!progress || progress.total <= 0) return null
  return Math.min(1, Math.max(0, progress.current / progress.total))
}

/** What it does, or what became of it, in a sentence. */
export function describe(job: Job): string {
  switch (job.status) {
    case 'queued':
      return job.error ? `Waits to be tried again: ${job.error.message}` : 'Waits for a worker'
    case 'running': {
      const { step, progress } = job
      const counted = progress && progress.total > 0 ? ` (${progress.current} of ${progress.total})` : ''
      return `${sentence(step ?? 'is at work')}${counted}`
    }
    case 'succeeded':
      return 'Done'
    case 'failed':
      return job.error ? sentence(job.error.message) : 'Failed'
    case 'cancelled':
      return 'Cancelled'
    default:
      // A newer API may know states that this page does not.
      return String(job.status)
  }
}

function sentence(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1)
}
