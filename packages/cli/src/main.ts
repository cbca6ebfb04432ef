#!/usr/bin/env node
import module from 'node:module'
import { fileURLToPath } from 'node:url'
import { endEarly, forkEarly, setChildScript } from './worker/fork.ts'

// A reader that has seen enough (head, less) ends the command without a word.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  process.stderr.write(`arq-ts: cannot write to standard output: ${error.message}\n`)
  process.exit(2)
})
// Remarks that nobody can read stop nothing.
process.stderr.on('error', () => {})

const argv = process.argv.slice(2)
const plain = argv.length === 1 ? await answerOf(argv[0]!) : undefined
if (plain !== undefined) process.stdout.write(plain)
else await run()

/** Answer to the most frequent flags, for people who wait: it needs no parser. */
async function answerOf(flag: string): Promise<string | undefined> {
  if (flag === '--version' || flag === '-V') return `${(await import('./version.ts')).version}\n`
  const isNarrow = process.stdout.isTTY && process.stdout.columns < 100
  if ((flag !== '--help' && flag !== '-h') || isNarrow) return undefined
  return (await import('./help.generated.ts')).HELP
}

/** True for a call that most likely ends in a pool. */
function isPool(): boolean {
  return argv[0] === 'worker' && !argv.some((flag) => ['--check', '--help', '-h', '--version', '-V'].includes(flag))
}

async function run(): Promise<void> {
  // Where Node can (from 22.1), modules are compiled once per machine instead of once per start.
  const { enableCompileCache } = module as { enableCompileCache?: () => { directory?: string } }
  const compiled = enableCompileCache?.().directory
  if (compiled !== undefined) process.env['NODE_COMPILE_CACHE'] ??= compiled // for the processes of a pool
  const child = import.meta.url.endsWith('.ts') ? './worker/child.ts' : './worker/child.js'
  setChildScript(fileURLToPath(new URL(child, import.meta.url)))
  if (isPool()) forkEarly()
  try {
    const { runCommand } = await import('./cli.ts')
    process.exitCode = await runCommand(argv)
  } finally {
    endEarly()
  }
}
