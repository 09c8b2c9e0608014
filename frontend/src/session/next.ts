/** Where to go after signing in: only ever a place inside this page. Pure. */
export function safeNext(next: unknown): string {
  const path = Array.isArray(next) ? next[0] : next
  if (typeof path !== 'string' || !path.startsWith('/') || /^\/[/\\]/.test(path)) return '/'
  // Back to a page that is only for those who are not signed in would be a circle.
  return /^\/(?:login|register|confirm|forgot-password|reset-password)(?:[?#/]|$)/.test(path) ? '/' : path
}
