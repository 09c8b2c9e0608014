/** Short words about what was just done, at the edge of the page. */
import { ref, type Ref } from 'vue'

export interface Notice {
  id: number
  tone: 'good' | 'bad'
  text: string
}

/** Long enough to read twice. */
const STAYS_MS = 7_000

const notices = ref<Notice[]>([])
let last = 0

export function useNotices(): { notices: Ref<Notice[]>; tell: typeof tell; dismiss: typeof dismiss } {
  return { notices, tell, dismiss }
}

function tell(text: string, tone: Notice['tone'] = 'good'): void {
  const id = ++last
  notices.value = [...notices.value.slice(-2), { id, tone, text }]
  // What went wrong stays until it is read.
  if (tone === 'good') setTimeout(() => dismiss(id), STAYS_MS)
}

function dismiss(id: number): void {
  notices.value = notices.value.filter((notice) => notice.id !== id)
}
