import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'

const manifest = createRequire(import.meta.url).resolve('@arq-ts/cli/package.json')

/** The folder of the package. A bundle moves modules, so no module but an entry looks for a file next to itself. */
export const packageFolder = dirname(manifest)

/** The version of the package. */
export const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as {
  version: string
}
