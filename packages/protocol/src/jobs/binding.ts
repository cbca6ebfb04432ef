import { ArgumentsError } from '../errors.ts'
import { showName } from '../values/escape.ts'
import { expectArgument, isStrings } from '../values/expect-argument.ts'
import { sharesModestly } from '../values/walk.ts'

/**
 * Binds a call's arguments to parameter names as Python would: positional ones in order, keywords by name, both mixed.
 * Values that are missing stay missing: the schema knows defaults and what is required.
 *
 * @param keywordOnly - Names that are given by name only, as Python's parameters behind the `*`.
 * @throws ArgumentsError in Python's words: too many arguments, a name given twice, or one that does not exist.
 */
export function bindArguments(
  functionName: string,
  parameters: readonly string[],
  args: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>>,
  acceptsUnknown: boolean,
  keywordOnly: readonly string[] = [],
): Record<string, unknown> {
  if (args.length > parameters.length) {
    const takes = `${parameters.length} positional argument${parameters.length === 1 ? '' : 's'}`
    throw new ArgumentsError(
      `${functionName}() takes ${takes} but ${args.length} ${args.length === 1 ? 'was' : 'were'} given`,
    )
  }
  // A schema looks at a shared value again at each place. JSON and msgpack share nothing.
  if (!sharesModestly([args, kwargs])) {
    throw new ArgumentsError(
      `${functionName}() has a schema, and takes no value that contains itself, nor values that are shared at more than ` +
        `100,000 places; define the task without \`params\` to take them as they come`,
    )
  }
  const bound: Record<string, unknown> = {}
  for (let i = 0; i < args.length; i++) set(bound, parameters[i] as string, args[i])
  for (const name of Object.keys(kwargs)) {
    if (args.length > 0 && Object.hasOwn(bound, name)) {
      throw new ArgumentsError(`${functionName}() got multiple values for argument '${showName(name)}'`)
    }
    if (!acceptsUnknown && !parameters.includes(name) && !keywordOnly.includes(name)) {
      const takes = quoted([...parameters, ...keywordOnly]) || 'none'
      throw new ArgumentsError(
        `${functionName}() got an unexpected keyword argument '${showName(name)}'; it takes ${takes}`,
      )
    }
    set(bound, name, kwargs[name])
  }
  return bound
}

/** Python's words for required arguments that were not given. @throws OptionsError */
export function missingText(names: readonly string[]): string {
  expectArgument('missingText', 'names', isStrings(names), 'an array of strings', names)
  return `missing ${names.length} required argument${names.length === 1 ? '' : 's'}: ${quoted(names, ' and ')}`
}

/** `__proto__` is a keyword like any other in Python; assigned in JavaScript, it would become the prototype. */
function set(bound: Record<string, unknown>, name: string, value: unknown): void {
  if (name === '__proto__')
    Object.defineProperty(bound, name, { value, enumerable: true, writable: true, configurable: true })
  else bound[name] = value
}

/** `'a', 'b'`; with an `and`, as Python enumerates: `'a' and 'b'`, `'a', 'b', and 'c'`. */
function quoted(names: readonly string[], and = ', '): string {
  const all = names.map((name) => `'${name}'`)
  if (all.length < 3 || and === ', ') return all.join(and)
  return `${all.slice(0, -1).join(', ')},${and}${all.at(-1)}`
}
