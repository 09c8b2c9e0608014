// @vitest-environment happy-dom
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createApp, nextTick, type App } from 'vue'

import ConfirmDialog from '@/ui/ConfirmDialog.vue'

let app: App | undefined

function show(props: Record<string, unknown>): HTMLElement {
  const root = document.createElement('div')
  document.body.append(root)
  app = createApp(ConfirmDialog, { title: 'Restore', confirmLabel: 'Restore', ...props })
  app.mount(root)
  return root
}

async function type(root: ParentNode, text: string): Promise<HTMLButtonElement> {
  const input = root.querySelector('input')
  if (!input) throw new Error('no input')
  input.value = text
  input.dispatchEvent(new Event('input'))
  await nextTick()
  const button = root.querySelector<HTMLButtonElement>('button[type=submit]')
  if (!button) throw new Error('no button')
  return button
}

afterEach(() => {
  app?.unmount()
  document.body.replaceChildren()
})

describe('a dialog that asks for a word', () => {
  it.each(['', 'restore', 'RESTORE ', ' RESTORE', 'RESTOR', 'RESTORED', 'ＲＥＳＴＯＲＥ'])('takes no "%s" for it', async (text) => {
    const onConfirm = vi.fn<() => void>()
    const root = show({ word: 'RESTORE', onConfirm })
    const button = await type(root, text)
    expect(button.disabled).toBe(true)
    // Enter in the field sends the form whatever the button is.
    root.querySelector('form')?.dispatchEvent(new Event('submit', { cancelable: true }))
    expect(onConfirm).not.toHaveBeenCalled()
  })

  it('goes on with exactly the word', async () => {
    const onConfirm = vi.fn<() => void>()
    const root = show({ word: 'RESTORE', onConfirm })
    const button = await type(root, 'RESTORE')
    expect(button.disabled).toBe(false)
    root.querySelector('form')?.dispatchEvent(new Event('submit', { cancelable: true }))
    expect(onConfirm).toHaveBeenCalledExactlyOnceWith('RESTORE')
  })
})

it('a dialog that works cannot be left or sent again', async () => {
  const [onConfirm, onCancel] = [vi.fn<() => void>(), vi.fn<() => void>()]
  const root = show({ busy: true, onConfirm, onCancel })
  root.querySelector('form')?.dispatchEvent(new Event('submit', { cancelable: true }))
  root.querySelector('dialog')?.dispatchEvent(new Event('cancel', { cancelable: true }))
  await nextTick()
  expect(onConfirm).not.toHaveBeenCalled()
  expect(onCancel).not.toHaveBeenCalled()
})
