import { createInterface } from 'node:readline/promises'
import { CommandError } from './exit.ts'
import { processIo } from './io.ts'
import type { Io } from './io.ts'
import { printable } from './style.ts'
import type { Output } from './output.ts'

/** Flags of commands that do much at once. */
export interface BulkArgs {
  yes?: boolean | undefined
  dryRun?: boolean | undefined
  io?: Io
}

/**
 * Says what would be done, and whether to do it: never with `--dry-run`, at once with `--yes`, else as the person at the
 * terminal says. @throws CommandError where nobody can be asked.
 */
export async function confirmed(what: string, args: BulkArgs, out: Output): Promise<boolean> {
  if (args.dryRun) {
    out.note(`would ${what} (dry run, nothing was done)`)
    return false
  }
  if (args.yes) return true
  const { stdin, stderr } = args.io ?? processIo
  if (!stdin.isTTY || !stderr.isTTY) {
    throw new CommandError(`would ${what}; add --yes to do it, or --dry-run to look only`)
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return await new Promise<boolean>((resolve, reject) => {
      // Ctrl-C and Ctrl-D close it, and leave the question without an answer.
      terminal.once('close', () => resolve(false))
      terminal.question(`${printable(what)}? [y/N] `).then((answer) => resolve(/^y(es)?$/i.test(answer.trim())), reject)
    })
  } finally {
    terminal.close()
  }
}
