import { expect, it } from 'vitest'

import { check, comment, email, orcid, password, personName, required, userName } from '@/account/rules'

const RULES = { comment, email, orcid, password, personName, required, userName }

it.each([
  ['userName', 'marie', true],
  ['userName', 'm.curie-1867_x', true],
  ['userName', 'mari', false],
  ['userName', '1marie', false],
  ['userName', 'marie@home', false],
  ['userName', 'a23456789012345678901', false],
  ['email', 'marie@example.org', true],
  ['email', 'marie@example', false],
  ['email', 'marie curie@example.org', false],
  ['password', 'correct horse', true],
  ['password', 'short', false],
  ['password', '🐴🐴🐴🐴🐴', false],
  ['password', 'x'.repeat(129), false],
  ['personName', '李明', true],
  ['personName', 'X', false],
  ['comment', 'to review genes', true],
  ['comment', '  short   ', false],
  ['comment', 'x'.repeat(251), false],
  ['orcid', '', true],
  ['orcid', '0000-0002-1825-0097', true],
  ['orcid', '0000-0002-1694-233X', true],
  ['orcid', '0000-0002-1825-0098', false],
  ['orcid', '0000000218250097', false],
  ['required', '', false],
] as const)('%s of "%s" is fine: %s', (name, value, fits) => {
  expect(RULES[name](value) === null).toBe(fits)
})

it('a form says what is wrong with which field', () => {
  const wrong = check({ email: 'no', password: 'correct horse' }, { email: email, password: password })
  expect([...wrong.keys()]).toEqual(['email'])
})
