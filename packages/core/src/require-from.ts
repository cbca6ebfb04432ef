import { createRequire } from 'node:module'
import { join } from 'node:path'

/**
 * A `require` for modules that most processes do not need. `url` is the caller's `import.meta.url`, which is undefined in a
 * bundle for CommonJS: modules are then looked for from the working directory.
 */
export function requireFrom(url: string | undefined): NodeJS.Require {
  return createRequire(url ?? join(process.cwd(), 'index.js'))
}
