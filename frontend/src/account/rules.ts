/**
 * The rules for what is typed into the account forms. Pure.
 *
 * They are those of the API, which has the last word; here they spare a round trip. Lengths count
 * characters as the API does, not UTF-16 units.
 */

/** What is wrong with a value; `null`: nothing. */
export type Rule = (value: string) => string | null

const lengthOf = (value: string): number => [...value].length

export const userName: Rule = (value) =>
  /^[A-Za-z][A-Za-z0-9._-]{4,19}$/.test(value)
    ? null
    : 'Use 5 to 20 letters, digits, dots, dashes or underscores, beginning with a letter.'

export const email: Rule = (value) =>
  /^[^\s@]+@[^\s@.]+(?:\.[^\s@.]+)+$/.test(value) && value.length <= 254
    ? null
    : 'Write an address such as name@example.org.'

export const password: Rule = (value) => {
  const length = lengthOf(value)
  if (length < 10) return 'Use at least 10 characters; a few words in a row are easy to remember.'
  return length <= 128 ? null : 'Use at most 128 characters.'
}

export const personName: Rule = (value) => {
  const length = lengthOf(value.trim())
  return length >= 2 && length <= 50 ? null : 'Use 2 to 50 characters.'
}

export const comment: Rule = (value) => {
  const length = lengthOf(value.trim())
  if (length < 10) return 'Say in a few words what you want the account for (at least 10 characters).'
  return length <= 250 ? null : 'Use at most 250 characters.'
}

export const tokenLabel: Rule = (value) => {
  const length = lengthOf(value.trim())
  if (length === 0) return 'Say what it is for, so that you know later which one to revoke.'
  return length <= 64 ? null : 'Use at most 64 characters.'
}

export const required: Rule = (value) => (value === '' ? 'Fill this in.' : null)

/** An ORCID iD with its check digit (ISO 7064 MOD 11-2), or nothing. */
export const orcid: Rule = (value) => {
  if (value === '') return null
  const wrong = 'Write it as 0000-0002-1825-0097; the last digit is a check digit.'
  if (!/^\d{4}-\d{4}-\d{4}-\d{3}[\dX]$/.test(value)) return wrong
  const digits = value.replaceAll('-', '')
  let sum = 0
  for (const digit of digits.slice(0, 15)) sum = ((sum + Number(digit)) * 2) % 11
  const last = (12 - sum) % 11
  return digits.endsWith(last === 10 ? 'X' : String(last)) ? null : wrong
}

/** What is wrong with each field of a form that has something wrong. */
export function check<Name extends string>(
  values: Readonly<Record<Name, string>>,
  rules: Readonly<Partial<Record<Name, Rule>>>,
): Map<string, string> {
  const wrong = new Map<string, string>()
  for (const [name, rule] of Object.entries(rules) as [Name, Rule][]) {
    const message = rule(values[name])
    if (message !== null) wrong.set(name, message)
  }
  return wrong
}
