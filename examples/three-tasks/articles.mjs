// The collections behind the application, and its service that searches them: a canary is judged by its requests.
import { setTimeout as sleep } from 'node:timers/promises'
import { CanaryDeployments, CanaryRouter } from '@arq-ts/canary'
import { AliasManager } from '@arq-ts/qdrant'

export const ALIAS = 'demo-articles'
export const OLD = 'demo-articles-v1'
export const NEW = 'demo-articles-v2'
export const FORGOTTEN = 'demo-forgotten'
export const IN_USE = 'demo-authors-v1'
/** The deployment takes 4 s; a stage that saw too few requests holds for another minute. */
const PATIENCE_MS = 120_000

/** Fills the collections, and begins to search. */
export async function openArticles(redisUrl, qdrantUrl, client) {
  async function rest(method, path, body) {
    const init = { method, headers: { 'content-type': 'application/json' }, body: body && JSON.stringify(body) }
    const response = await fetch(`${qdrantUrl}/collections/${path}`, init)
    // There may be nothing to delete.
    if (!response.ok && method !== 'DELETE')
      throw new Error(`Qdrant answered ${response.status} to ${method} ${path}: ${await response.text()}`)
    return response.json()
  }
  const clear = () => Promise.all([OLD, NEW, FORGOTTEN, IN_USE].map((name) => rest('DELETE', name)))
  await clear()
  for (const name of [OLD, NEW, FORGOTTEN, IN_USE]) {
    await rest('PUT', name, { vectors: { size: 2, distance: 'Cosine' } })
    const points = [1, 2, 3].map((id) => ({ id, vector: [id, 1], payload: { title: `article ${id}` } }))
    await rest('PUT', `${name}/points?wait=true`, { points })
  }
  const aliases = new AliasManager({ qdrant: { url: qdrantUrl } })
  await aliases.createAlias(ALIAS, OLD, { force: true })
  await aliases.createAlias('demo-authors', IN_USE, { force: true })

  const router = new CanaryRouter({ redis: redisUrl })
  let isOpen = true
  async function searchOnAndOn(service) {
    for (let i = 0; isOpen; i++) {
      const request = { requestId: `${service}-${i}` }
      const search = (collection) => rest('POST', `${collection}/points/query`, { query: [1, 1], limit: 1 })
      // The router counts a failure against its collection. The pause leaves others their turn.
      await router.handle(ALIAS, request, search).catch(() => {})
      await sleep(2)
    }
  }
  const searching = Promise.all(['a', 'b'].map(searchOnAndOn))
  const deployments = new CanaryDeployments({ client, redis: redisUrl, aliases })
  return {
    collectionBehind: (alias) => aliases.getCollectionForAlias(alias),
    /** An alias has one deployment at a time, and a run that was stopped may have left one. A worker must be there. */
    async endLeftovers(signal) {
      const left = async () => (await deployments.active()).filter(({ alias }) => alias === ALIAS)
      for (const { id } of await left()) await deployments.rollback(id, 'left by an earlier run')
      const deadline = performance.now() + PATIENCE_MS
      while ((await left()).length > 0 && !signal?.aborted && performance.now() < deadline) await sleep(50)
    },
    /** Prints each decision as it is made; returns how the deployment has ended, and why. */
    async watchDeployment(id, say, signal) {
      const deadline = performance.now() + PATIENCE_MS
      for (let printed = 0; ; await sleep(50)) {
        const deployment = await deployments.status(id)
        for (const { decision } of deployment?.decisions.slice(printed) ?? []) say(`  canary: ${decision}`)
        printed = deployment?.decisions.length ?? 0
        const outcome = [deployment?.status ?? 'unknown', deployment?.reason].filter(Boolean).join(': ')
        if (deployment?.finishedAtMs || signal?.aborted) return outcome
        if (performance.now() > deadline) return `${outcome}, still after ${PATIENCE_MS / 1_000} s`
      }
    },
    async stopSearching() {
      isOpen = false
      await searching
    },
    async close() {
      await router.close()
      await deployments.close()
      await clear()
    },
  }
}
