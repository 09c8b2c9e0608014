/**
 * What a table shows, held in the address: a link to it shows the same, and "back" goes back. Pure.
 *
 * A field is read by a function that answers its default for whatever it does not know. What is at its
 * default is not written.
 */
import type { LocationQuery, LocationQueryRaw } from 'vue-router'

/** Reads one parameter. */
export type Reader<T> = (text: string | undefined) => T

export type Fields<State> = { readonly [Name in keyof State]: Reader<State[Name]> }

export function readQuery<State extends object>(fields: Fields<State>, query: LocationQuery): State {
  const read = ([name, reader]: [string, unknown]): [string, unknown] => {
    const value = query[name]
    const first = Array.isArray(value) ? value[0] : value
    return [name, (reader as Reader<unknown>)(first ?? undefined)]
  }
  return Object.fromEntries(Object.entries(fields).map(read)) as State
}

/** The query that `readQuery` makes `state` of; what is not one of its fields stays. */
export function writeQuery<State extends object>(
  fields: Fields<State>,
  state: State,
  query: LocationQuery,
): LocationQueryRaw {
  const written: LocationQueryRaw = { ...query }
  for (const [name, reader] of Object.entries(fields) as [keyof State & string, Reader<unknown>][]) {
    const value: unknown = state[name]
    if (value === undefined || value === '' || value === reader(undefined)) delete written[name]
    else written[name] = String(value)
  }
  return written
}

/** Any text; surrounding blanks do not count. */
export const text: Reader<string> = (value) => value?.trim() ?? ''

/** One of these words, or nothing. */
export function oneOf<Word extends string>(words: readonly Word[]): Reader<Word | undefined>
export function oneOf<Word extends string>(words: readonly Word[], fallback: Word): Reader<Word>
export function oneOf<Word extends string>(words: readonly Word[], fallback?: Word): Reader<Word | undefined> {
  return (value) => words.find((word) => word === value) ?? fallback
}

/** A whole number of these, else the first. */
export function numberOf(numbers: readonly [number, ...number[]]): Reader<number> {
  return (value) => numbers.find((number) => String(number) === value) ?? numbers[0]
}

/** A whole number from 1. */
export const pageNumber: Reader<number> = (value) => (value && /^[1-9]\d{0,8}$/.test(value) ? Number(value) : 1)

/** A whole number, or nothing. */
export const optionalNumber: Reader<number | undefined> = (value) =>
  value && /^\d{1,15}$/.test(value) ? Number(value) : undefined

/** Yes, no, or either. */
export const yesNo: Reader<boolean | undefined> = (value) =>
  value === 'true' ? true : value === 'false' ? false : undefined
