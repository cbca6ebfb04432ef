import { createRequire } from 'node:module'

/** The installed version of a package. */
export function versionOf(name: string): string {
  return (createRequire(import.meta.url)(`${name}/package.json`) as { version: string }).version
}
