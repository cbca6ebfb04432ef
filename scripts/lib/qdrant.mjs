// A Qdrant to look at: QDRANT_URL, else a container where Docker has the image, else Qdrant's own in-memory engine for
// Python behind its REST interface.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { tsImport } from 'tsx/esm/api'
import { root } from './command.mjs'

/** Gives `{ url, what, stop() }`, or `{ why }` where there can be none. */
export async function ensureQdrant() {
  if (process.env.QDRANT_URL)
    return { url: process.env.QDRANT_URL, what: 'the Qdrant of QDRANT_URL', stop: async () => {} }
  // The tests' helper is TypeScript.
  const testing = pathToFileURL(join(root, 'packages/qdrant/test/support/index.ts')).href
  const { startQdrant, whyNoQdrant } = await tsImport(testing, import.meta.url)
  const why = await whyNoQdrant()
  if (why !== undefined) return { why }
  const qdrant = await startQdrant()
  return { url: qdrant.url, what: qdrant.engine, stop: () => qdrant.stop() }
}
