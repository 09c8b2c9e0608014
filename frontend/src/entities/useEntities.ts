import { keepPreviousData, useQuery } from '@tanstack/vue-query'
import { computed } from 'vue'

import { api, call } from '@/api/client'
import { loaded, type Loaded } from '@/api/loaded'
import type { EntityList, GeneWithEntities, Statistics } from '@/api/types'
import { toQuery, type Search } from './search'

export function useEntities(search: () => Search): Loaded<EntityList> {
  const query = useQuery({
    queryKey: computed(() => ['entities', toQuery(search())]),
    queryFn: ({ signal }) => call(api.GET('/api/entities', { params: { query: toQuery(search()) }, signal })),
    // The page before stays until the next one is there: nothing jumps.
    placeholderData: keepPreviousData,
  })
  return loaded(query)
}

export function useGene(symbol: () => string): Loaded<GeneWithEntities> {
  const query = useQuery({
    queryKey: computed(() => ['gene', symbol()]),
    queryFn: ({ signal }) => call(api.GET('/api/genes/{symbol}', { params: { path: { symbol: symbol() } }, signal })),
  })
  return loaded(query)
}

export function useStatistics(): Loaded<Statistics> {
  const query = useQuery({
    queryKey: ['statistics'],
    queryFn: ({ signal }) => call(api.GET('/api/statistics', { signal })),
    // As long as the API says that they may be kept.
    staleTime: 30_000,
  })
  return loaded(query)
}
