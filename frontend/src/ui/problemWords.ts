/** A problem in words for whoever reads the page. Pure. */
import type { ApiProblem, ProblemKind } from '@/api/problem'

const HEADLINES: Record<ProblemKind, string> = {
  unreachable: 'SysNDD cannot be reached',
  unavailable: 'SysNDD does not answer at the moment',
  signed_out: 'Your session is over',
  forbidden: 'This is not open to you',
  not_found: 'This is not there',
  invalid: 'This cannot be shown',
  conflict: 'This cannot be done now',
  too_many: 'That was a little fast',
  fault: 'Something went wrong on our side',
}

const ADVICE: Record<ProblemKind, string> = {
  unreachable: 'Check your network, then try again.',
  unavailable: 'Try again in a moment.',
  signed_out: 'Sign in again, and go on where you were.',
  forbidden: 'If it should be, ask an administrator.',
  not_found: 'It may have been removed, or the address is misspelt.',
  invalid: 'The address may be an old one; begin again from the first page.',
  conflict: 'Look at how it stands now, then decide again.',
  too_many: 'Wait some seconds, then try again.',
  fault: 'Try again; if it stays so, tell an administrator the request id.',
}

export function headlineFor(problem: ApiProblem): string {
  return HEADLINES[problem.kind]
}

/**
 * What became of something that was sent and not served. Whoever answered knows whether anything was done,
 * and says so: nothing at the edge's 503, perhaps something at its 502 and 504. Where nobody answered, it is
 * said here.
 */
export function outcomeOf({ kind, message }: ApiProblem): string {
  const own = message.charAt(0).toUpperCase() + message.slice(1)
  const sentence = /[.!?]$/.test(own) ? own : `${own}.`
  return kind === 'unreachable'
    ? `${sentence} It may have been carried out: look before you send it again.`
    : sentence
}

/** What comes next where the page asks again by itself. */
const BY_ITSELF: Partial<Record<ProblemKind, string>> = {
  unreachable: 'Check your network first. This page tries again by itself every few seconds.',
  unavailable: 'There is nothing you need to do: this page tries again by itself every few seconds.',
}

export function adviceFor({ kind }: ApiProblem, byItself: boolean): string {
  return (byItself ? BY_ITSELF[kind] : undefined) ?? ADVICE[kind]
}
