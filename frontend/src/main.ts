import 'bootstrap/dist/css/bootstrap.min.css'
import './style.css'

import { QueryClient, VueQueryPlugin } from '@tanstack/vue-query'
import { createApp } from 'vue'

import App from './App.vue'
import { router } from './router'

const queryClient = new QueryClient({
  // Each query says itself what a failure means; silent retries would only hide it for a while.
  defaultOptions: { queries: { retry: false, networkMode: 'always' } },
})

createApp(App).use(router).use(VueQueryPlugin, { queryClient }).mount('#app')
