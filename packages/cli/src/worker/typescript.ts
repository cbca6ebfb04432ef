import { register } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { packageFolder } from '../version.ts'

/**
 * Runs in the loader's thread. Read as CommonJS, as tsx does in a package without `"type": "module"`, a settings module
 * would load libraries a second time, by `require`; some do not bear that.
 */
const AS_MODULES = `
const isTypeScript = (url) => /\\.tsx?(\\?|$)/.test(url)
export async function resolve(specifier, context, next) {
  const found = await next(specifier, context)
  return isTypeScript(found.url) ? { ...found, format: 'module' } : found
}
export async function load(url, context, next) {
  return isTypeScript(url) ? { ...(await next(url, { ...context, format: 'module' })), format: 'module' } : next(url, context)
}
`

let ready: Promise<void> | undefined

/** From here on TypeScript can be imported without a build step, by tsx; `.ts` and `.tsx` are ES modules everywhere. */
export function readTypeScript(): Promise<void> {
  ready ??= import('tsx/esm/api').then((tsx) => {
    tsx.register()
    register(`data:text/javascript,${encodeURIComponent(AS_MODULES)}`)
    // Sandboxes start with the flags of this process, and are to read TypeScript too.
    process.execArgv.push('--import', pathToFileURL(join(packageFolder, 'dist/worker/register-typescript.js')).href)
  })
  return ready
}
