import 'bootstrap/dist/css/bootstrap.min.css'
import './styles/index.css'

import { VueQueryPlugin } from '@tanstack/vue-query'
import { createApp } from 'vue'

import { makeQueryClient } from './api/queries'
import App from './App.vue'
import { router } from './router'
import { watchForTheEnd } from './session/session'
import { watchForFaults } from './ui/faults'
import { watchForLostCode } from './ui/lostCode'

const queryClient = makeQueryClient()
watchForTheEnd(queryClient)
watchForLostCode(router)

const app = createApp(App).use(router).use(VueQueryPlugin, { queryClient })
watchForFaults(app)
app.mount('#app')
