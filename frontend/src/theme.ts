/**
 * Light or dark: the reader's choice if there is one, else the system's.
 *
 * `public/theme.js` sets the same before the first paint; keep the key and the words equal.
 */
import { ref, type Ref } from 'vue'

export type Theme = 'light' | 'dark'

const STORAGE_KEY = 'sysndd.theme'

export interface ThemeSwitch {
  theme: Ref<Theme>
  toggle: () => void
}

export function useTheme(): ThemeSwitch {
  const theme = ref<Theme>(document.documentElement.dataset['bsTheme'] === 'dark' ? 'dark' : 'light')

  const show = (next: Theme): void => {
    theme.value = next
    document.documentElement.dataset['bsTheme'] = next
  }

  const toggle = (): void => {
    show(theme.value === 'dark' ? 'light' : 'dark')
    remember(theme.value)
  }

  // Without a choice of the reader's own, the page goes along when the system changes at dusk.
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', (event) => {
    if (recall() === null) show(event.matches ? 'dark' : 'light')
  })

  return { theme, toggle }
}

function recall(): string | null {
  try {
    return localStorage.getItem(STORAGE_KEY)
  } catch {
    return null
  }
}

function remember(theme: Theme): void {
  try {
    localStorage.setItem(STORAGE_KEY, theme)
  } catch {
    // Storage may be forbidden; the choice then holds until the page is left.
  }
}
