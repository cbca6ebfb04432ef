import { ArgumentsError } from '../errors.ts'

/**
 * Binds a call's arguments to parameter names as Python would: positional ones in order, keywords by name, both mixed.
 * Values that are missing stay missing: the schema knows defaults and what is required.
 *
 * @throws ArgumentsError in Python's words: too many arguments, a name given twice, or one that does not exist.
 */
export function bindArguments(
  functionName: string,
  parameters: readonly string[],
  args: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>>,
  acceptsUnknown: boolean,
): Record<string, unknown> {
  if (args.length > parameters.length) {
    const takes = `${parameters.length} positional argument${parameters.length === 1 ? '' : 's'}`
    throw new ArgumentsError(`${functionName}() takes ${takes} but ${args.length} ${args.length === 1 ? 'was' : 'were'} given`)
  }
  const bound: Record<string, unknown> = {}
  for (const [i, value] of args.entries()) bound[parameters[i] as string] = value
  for (const name of Object.keys(kwargs)) {
    if (Object.hasOwn(bound, name)) throw new ArgumentsError(`${functionName}() got multiple values for argument '${name}'`)
    if (!acceptsUnknown && !parameters.includes(name)) {
      throw new ArgumentsError(`${functionName}() got an unexpected keyword argument '${name}'; it takes ${list(parameters)}`)
    }
    Object.defineProperty(bound, name, { value: kwargs[name], enumerable: true, writable: true, configurable: true })
  }
  return bound
}

function list(parameters: readonly string[]): string {
  return parameters.length === 0 ? 'none' : parameters.map((name) => `'${name}'`).join(', ')
}
