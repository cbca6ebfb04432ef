/** Values that hardly any argument may be. */
const WRONG = [5, true, null, { nonsense: 1 }, Symbol.iterator]

/** Codes of errors that say which argument is wrong; one that Redis gave is no refusal. */
const REFUSALS: ReadonlySet<unknown> = new Set(['ARQ_INVALID_OPTIONS', 'ARQ_ARGUMENTS', 'ARQ_INVALID_CONFIG'])

/** The public surface of a package, and what a walk over it has to know. */
export interface Surface {
  /** Everything that an entry exports at run time. */
  exports: Readonly<Record<string, unknown>>
  /** An instance of each exported class whose methods are called. */
  instances: Readonly<Record<string, object>>
  /** Arguments that are accepted, by `name` or `Class.method`: each is replaced by wrong values in turn. Default: one. */
  accepted?: Readonly<Record<string, readonly unknown[]>>
  /** What need not refuse, by `name` or `Class.method`, each with the reason. */
  passed: Readonly<Record<string, string>>
}

/**
 * Calls every exported function, constructor and method with wrong values in the place of each argument, and returns
 * those that do not refuse one by name. A new export is walked without being listed.
 */
export async function unrefusedOf({ exports, instances, accepted = {}, passed }: Surface): Promise<string[]> {
  const found: string[] = []
  const names = new Set<string>()
  const walk = async (name: string, call: (...args: unknown[]) => unknown) => {
    names.add(name)
    if (name in passed) return
    const good = accepted[name] ?? [undefined]
    for (const position of good.keys()) {
      for (const wrong of WRONG) {
        const args = good.with(position, wrong)
        const outcome = await outcomeOf(() => call(...args))
        if (outcome !== 'refused') found.push(`${name}(${args.map(show).join(', ')}): ${outcome}`)
      }
    }
  }
  for (const [name, value] of Object.entries(exports)) {
    if (typeof value !== 'function') continue
    const prototype = value.prototype as object | undefined
    if (!isClass(value)) await walk(name, value as (...args: unknown[]) => unknown)
    else if (!(prototype instanceof Error)) {
      await walk(name, (...args) => Reflect.construct(value, args) as unknown)
      for (const method of methodsOf(value)) {
        const instance = instances[name] as Record<string, (...args: unknown[]) => unknown> | undefined
        if (!instance && !(name in passed)) found.push(`${name}: give an instance, or a reason to pass it`)
        if (instance) await walk(`${name}.${method}`, (...args) => instance[method]!(...args))
      }
    }
  }
  const unknown = [...Object.keys(passed), ...Object.keys(accepted)].filter((name) => !names.has(name))
  return [...new Set([...found, ...unknown.map((name) => `${name}: is listed and does not exist`)])]
}

/** Methods of a class and of those of ours it extends, private ones of TypeScript included. */
function methodsOf(value: object): string[] {
  const methods: string[] = []
  const { prototype } = value as { prototype: object }
  for (let at = prototype; isOurs(at); at = Object.getPrototypeOf(at) as object) {
    for (const [name, { value: method }] of Object.entries(Object.getOwnPropertyDescriptors(at)))
      if (name !== 'constructor' && typeof method === 'function') methods.push(name)
  }
  return [...new Set(methods)]
}

function isOurs(prototype: object): boolean {
  const { constructor } = prototype as { constructor: { name: string } }
  return !['Object', 'EventEmitter', 'Error', 'Array', 'Map'].includes(constructor.name)
}

function isClass(value: object): boolean {
  return /^class\b/.test(Function.prototype.toString.call(value))
}

async function outcomeOf(call: () => unknown): Promise<string> {
  try {
    const called = call() as Partial<AsyncIterator<unknown>> | undefined
    await (typeof called?.next === 'function' ? called.next() : called)
    return 'accepted'
  } catch (error) {
    const { code } = error as { code?: unknown }
    if (REFUSALS.has(code)) return 'refused'
    return `${String((error as Error).name)} without a code: ${String((error as Error).message).slice(0, 100)}`
  }
}

function show(value: unknown): string {
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value)
}
