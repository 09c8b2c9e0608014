/**
 * Pages whose code cannot be fetched: the network is away, or the site was replaced and the files of the
 * release that is open here are gone. The page is then loaded anew, which brings the code of now; once, so
 * that code that is gone for good does not make it load for ever.
 */
import type { Router } from 'vue-router'

import { useNotices } from './notices'

const KEY = 'sysndd.loaded-anew'

export function watchForLostCode(router: Router, load = (path: string) => location.assign(path)): void {
  router.onError((_error, { fullPath }) => loadAnew(fullPath, load))
  router.afterEach((_to, _from, failure) => {
    if (!failure) writeMark(null)
  })
}

export function tellOfLostCode(): void {
  useNotices().tell('A part of the site could not be loaded. Look at your network, then load the page anew.', 'bad')
}

async function loadAnew(path: string, load: (path: string) => void): Promise<void> {
  if (readMark() !== path && (await isServed(path)) && writeMark(path)) load(path)
  else tellOfLostCode()
}

/** What is open is not given up for the browser's own word that nothing is there. */
async function isServed(path: string): Promise<boolean> {
  try {
    return (await fetch(path, { cache: 'no-store' })).ok
  } catch {
    return false
  }
}

/** Where the page was loaded anew for, as long as that did not help. */
function readMark(): string | null {
  try {
    return sessionStorage.getItem(KEY)
  } catch {
    return null
  }
}

/** Whether the next load will know. */
function writeMark(path: string | null): boolean {
  try {
    if (path === null) sessionStorage.removeItem(KEY)
    else sessionStorage.setItem(KEY, path)
    return true
  } catch {
    return false
  }
}
