import type { Component } from 'vue'
import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router'

import HomePage from './pages/HomePage.vue'

declare module 'vue-router' {
  interface RouteMeta {
    /** Stands before "SysNDD" in the window's title. */
    title: string
  }
}

// The start page comes with the first load; each other one when it is asked for.
export const routes: RouteRecordRaw[] = [
  { path: '/', name: 'home', component: HomePage, meta: { title: 'Genes of neurodevelopmental disorders' } },
  {
    path: '/entities',
    name: 'entities',
    component: () => import('./pages/EntitiesPage.vue'),
    meta: { title: 'Entities' },
  },
  {
    path: '/genes/:symbol',
    name: 'gene',
    component: () => import('./pages/GenePage.vue'),
    props: true,
    meta: { title: 'Gene' },
  },
  { path: '/login', name: 'log-in', component: () => import('./pages/LogInPage.vue'), meta: { title: 'Sign in' } },
  {
    path: '/register',
    name: 'register',
    component: () => import('./pages/RegisterPage.vue'),
    meta: { title: 'Open an account' },
  },
  {
    path: '/confirm',
    name: 'confirm',
    component: () => import('./pages/ConfirmPage.vue'),
    meta: { title: 'Confirm your address' },
  },
  {
    path: '/forgot-password',
    name: 'forgot-password',
    component: () => import('./pages/ForgotPasswordPage.vue'),
    meta: { title: 'Forgot your password?' },
  },
  {
    path: '/reset-password',
    name: 'reset-password',
    component: () => import('./pages/ResetPasswordPage.vue'),
    meta: { title: 'Set a new password' },
  },
  {
    path: '/account',
    name: 'account',
    component: () => import('./pages/AccountPage.vue'),
    meta: { title: 'Your account' },
  },
  {
    path: '/account/tokens',
    name: 'tokens',
    component: () => import('./pages/TokensPage.vue'),
    meta: { title: 'Tokens for scripts' },
  },
  {
    path: '/admin',
    component: () => import('./layout/AdminLayout.vue'),
    redirect: '/admin/system',
    children: [
      admin('system', 'System', () => import('./pages/admin/SystemPage.vue')),
      admin('migrations', 'Migrations', () => import('./pages/admin/MigrationsPage.vue')),
      admin('backups', 'Backups', () => import('./pages/admin/BackupsPage.vue')),
      admin('jobs', 'Jobs', () => import('./pages/admin/JobsPage.vue')),
      admin('mail', 'Mail', () => import('./pages/admin/MailPage.vue')),
      admin('users', 'Users', () => import('./pages/admin/UsersPage.vue')),
    ],
    meta: { title: 'Administration' },
  },
  {
    path: '/status',
    name: 'status',
    component: () => import('./pages/HealthPage.vue'),
    meta: { title: 'State of the service' },
  },
  {
    path: '/:path(.*)*',
    name: 'not-found',
    component: () => import('./pages/NotFoundPage.vue'),
    meta: { title: 'Page not found' },
  },
]

function admin(name: string, title: string, component: () => Promise<unknown>): RouteRecordRaw {
  return { path: name, name, component: component as () => Promise<Component>, meta: { title } }
}

export const router = createRouter({
  history: createWebHistory(),
  routes,
  // A change of filters is no change of place.
  scrollBehavior: (to, from, saved) => saved ?? (to.path === from.path ? false : { top: 0 }),
})

router.afterEach((to, from, failure) => {
  const isFirst = from.matched.length === 0
  // A change of filters or of the place on it: the page has its title, perhaps one of its own.
  if (failure || (!isFirst && to.path === from.path)) return
  document.title = `${to.meta.title} · SysNDD`
  // Whoever cannot see that the page changed is led to its begin. Not at the first load.
  if (!isFirst) document.getElementById('main')?.focus({ preventScroll: true })
})
