#!/usr/bin/env node
import { runCli } from './cli.ts'
import { CommandError, EXIT } from './exit.ts'

// A reader that has seen enough (head, less) ends the command without a word.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.ok)
  throw error
})

try {
  process.exitCode = await runCli(process.argv.slice(2))
} catch (error) {
  const { code, message, stack } = error as Error & { code?: string }
  const isForPeople = error instanceof CommandError || code?.startsWith('ARQ_') === true
  process.stderr.write(`${isForPeople ? `arq-ts: ${message.trimStart()}` : stack}\n`)
  process.exitCode = error instanceof CommandError ? error.exitCode : exitCodeOf(code)
}

/** Of the core's errors: what was found wrong with a job is an answer, all else means that it could not be done. */
function exitCodeOf(code: string | undefined): number {
  return code === 'ARQ_RESULT_NOT_FOUND' || code === 'ARQ_JOB_FAILED' ? EXIT.no : EXIT.cannot
}
