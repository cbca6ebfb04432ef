/** Beginning of the names of tasks that every arq-ts worker has in addition to its own, and that its list of functions leaves out. */
const SYSTEM = 'arq-ts:'

/** True where workers with these functions run one of the name. */
export function serves(functions: readonly string[], name: string): boolean {
  return name.startsWith(SYSTEM) || functions.includes(name)
}
