/** Options with every default in place: `O` as the caller gives them, `D` the defaults. */
export type Defaults<O, D> = {
  [K in keyof O]-?: K extends keyof D ? (undefined extends D[K] ? O[K] | undefined : Exclude<O[K], undefined>) : never
}

/** Leaves out the options that are given as undefined: those are not given. */
export function given<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>
}
