// @vitest-environment happy-dom
import { expect, it } from 'vitest'
import { createApp, defineComponent } from 'vue'
import { createMemoryHistory, createRouter, type Router } from 'vue-router'

import { optionalNumber, text, type Fields } from '@/tables/urlState'
import { useUrlState, type UrlState } from '@/tables/useUrlState'

interface State {
  q: string
  after: number | undefined
}
const FIELDS: Fields<State> = { q: text, after: optionalNumber }

async function at(start: string): Promise<{ router: Router; list: UrlState<State> }> {
  const router = createRouter({
    history: createMemoryHistory(),
    routes: [{ path: '/', component: { render: () => null } }],
  })
  await router.push(start)
  let list: UrlState<State> | undefined
  const Page = defineComponent({
    setup() {
      list = useUrlState(FIELDS, { after: undefined })
      return () => null
    },
  })
  createApp(Page).use(router).mount(document.createElement('div'))
  if (!list) throw new Error('not set up')
  return { router, list }
}

async function address(router: Router): Promise<string> {
  await new Promise<void>((resolve) => {
    const stop = router.afterEach(() => {
      stop()
      resolve()
    })
  })
  return router.currentRoute.value.fullPath
}

it('another question begins the list anew, another page does not', async () => {
  const { router, list } = await at('/?q=x&after=7&other=kept')
  list.change({ after: 9 })
  expect(await address(router)).toBe('/?q=x&after=9&other=kept')
  list.refine({ q: 'y' })
  expect(await address(router)).toBe('/?q=y&other=kept')
  expect(list.state.value).toEqual({ q: 'y', after: undefined })
})

it('what is still being typed is no step back', async () => {
  const { router, list } = await at('/')
  list.refine({ q: 'a' })
  await address(router)
  list.refine({ q: 'ab' }, { replace: true })
  await address(router)
  router.back()
  expect(await address(router)).toBe('/')
})
