import { fileURLToPath } from 'node:url'

/** Path of a script of the repository. */
export function scriptPath(name: string): string {
  return fileURLToPath(new URL(`../../../../../scripts/${name}`, import.meta.url))
}

/** Exports of a script of the repository, which is not compiled and has no declarations. */
export async function importScript<T>(name: string): Promise<T> {
  return (await import(scriptPath(name))) as T
}
