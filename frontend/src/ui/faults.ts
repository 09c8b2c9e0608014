/** Faults of the page itself: whoever reads it hears of them, and the console has the rest. */
import type { App } from 'vue'

import { useNotices } from './notices'

const WORDS = 'A part of this page does not work as it should. Load the page anew; if it stays so, tell an administrator.'

export function watchForFaults(app: App): void {
  const { notices, tell } = useNotices()
  app.config.errorHandler = (error) => {
    console.error(error)
    // A part that is drawn again and again fails again and again.
    if (!notices.value.some(({ text }) => text === WORDS)) tell(WORDS, 'bad')
  }
}
