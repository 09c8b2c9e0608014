/** What is typed, once it rests: nobody needs the answers to all the halves of a word. */
import { onScopeDispose, ref, watch, type Ref } from 'vue'

const REST_MS = 250

/** `settled` hears of what was typed; `given` is what others make of it, such as "back". */
export function useDebounced(given: () => string, settled: (text: string) => void): Ref<string> {
  const typed = ref(given())
  let timer: ReturnType<typeof setTimeout> | undefined
  const forget = (): void => {
    clearTimeout(timer)
    timer = undefined
  }
  watch(typed, (text) => {
    forget()
    if (text.trim() === given()) return
    timer = setTimeout(() => settled(text.trim()), REST_MS)
  })
  watch(given, (text) => {
    if (text !== typed.value.trim()) typed.value = text
  })
  onScopeDispose(forget)
  return typed
}
