import { createRouter, createWebHistory } from 'vue-router'

import HealthPage from './pages/HealthPage.vue'

declare module 'vue-router' {
  interface RouteMeta {
    /** Stands before "SysNDD" in the window's title. */
    title: string
  }
}

export const router = createRouter({
  history: createWebHistory(),
  routes: [
    { path: '/', name: 'health', component: HealthPage, meta: { title: 'Stack health' } },
    {
      path: '/:path(.*)*',
      name: 'not-found',
      component: () => import('./pages/NotFoundPage.vue'),
      meta: { title: 'Page not found' },
    },
  ],
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
})

router.afterEach((to) => {
  document.title = `${to.meta.title} · SysNDD`
})
