/** Lets the browser fetch a file and keep it, as a link would. */
export function fetchFile(href: string, name: string): void {
  const link = document.createElement('a')
  link.href = href
  link.download = name
  link.click()
}
