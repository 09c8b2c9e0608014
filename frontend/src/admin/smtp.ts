/** What the steps of a talk with a mail server are. */
export const STEP_MEANING: Readonly<Record<string, string>> = {
  connect: 'reaches the server',
  tls: 'encrypts, and hears its greeting',
  ehlo: 'hears what it can do',
  starttls: 'goes on encrypted',
  auth: 'signs in',
}
