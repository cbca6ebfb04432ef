import yargs from 'yargs'
import type { Argv } from 'yargs'
import { build } from '../../src/cli.ts'

/** Yargs' own table of what it parses; it has no public way to list commands. */
interface Internals {
  getInternalMethods(): {
    getCommandInstance(): { getCommandHandlers(): Record<string, { handler: unknown; builder: unknown }> }
  }
}

/** Every verb of the command, from its parser: `queue ls`, `workers`, `workers quiet`, … */
export function everyVerb(): string[] {
  const handlers = new Set<unknown>()
  const grammar = build([], () => {
    const handler = async () => {}
    handlers.add(handler)
    return handler
  })
  return verbsOf(grammar, '', handlers)
}

/** A word that only groups others has a handler of yargs'. */
function verbsOf(parser: Argv, path: string, handlers: ReadonlySet<unknown>): string[] {
  const commands = (parser as unknown as Internals).getInternalMethods().getCommandInstance().getCommandHandlers()
  return Object.entries(commands).flatMap(([name, { builder, handler }]) => {
    const verb = `${path}${name}`
    if (typeof builder !== 'function') return []
    const within = yargs([])
    ;(builder as (yargs: Argv) => Argv)(within)
    return [...(handlers.has(handler) ? [verb] : []), ...verbsOf(within, `${verb} `, handlers)]
  })
}
