/**
 * Sending a form: checks first, sends once at a time, and puts what is wrong beside its field,
 * whether the page or the API found it.
 */
import { computed, nextTick, ref, shallowRef, type ComputedRef, type Ref } from 'vue'

import { asProblem, type ApiProblem } from '@/api/problem'

export interface Form {
  busy: Ref<boolean>
  /** What is wrong with a field, by its name. */
  wrong: ComputedRef<ReadonlyMap<string, string>>
  /** Why it was not served, where that is about no field of the form. */
  problem: ComputedRef<ApiProblem | null>
  /** Whether it was served. */
  done: Ref<boolean>
  submit: (event: Event) => Promise<void>
  /** Forgets what became of it. */
  reset: () => void
}

export function useForm(
  look: () => ReadonlyMap<string, string>,
  send: () => Promise<unknown>,
  /** Names that the form has fields for; what the API says of others stands above the button. */
  fields: readonly string[],
): Form {
  const busy = ref(false)
  const done = ref(false)
  const tried = ref(false)
  const refused = shallowRef<ApiProblem | null>(null)

  const own = computed(() => (tried.value ? look() : new Map<string, string>()))
  const wrong = computed(() => new Map([...(refused.value?.fields ?? []), ...own.value]))
  const problem = computed(() => {
    if (!refused.value) return null
    const named = [...refused.value.fields.keys()]
    return named.length > 0 && named.every((name) => fields.includes(name)) ? null : refused.value
  })

  async function submit(event: Event): Promise<void> {
    const form = event.target as HTMLFormElement
    if (busy.value) return
    tried.value = true
    refused.value = null
    if (own.value.size > 0) return focusFirstWrong(form)
    busy.value = true
    try {
      await send()
      done.value = true
    } catch (error) {
      refused.value = asProblem(error)
    } finally {
      busy.value = false
    }
    if (wrong.value.size > 0) await focusFirstWrong(form)
  }

  function reset(): void {
    done.value = false
    tried.value = false
    refused.value = null
  }

  return { busy, wrong, problem, done, submit, reset }
}

async function focusFirstWrong(form: HTMLFormElement): Promise<void> {
  await nextTick()
  form.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus()
}
