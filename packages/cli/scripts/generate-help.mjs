// Writes what `arq-ts --help` prints into src/help.generated.ts, so that it needs no parser to be printed. Run after a
// build. `--check` says whether the committed text is what the parser gives.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const target = fileURLToPath(new URL('../src/help.generated.ts', import.meta.url))
const cli = new URL('../dist/cli.js', import.meta.url).href
// Asked for a second time, it is not the plain call that is answered from the text.
const script = `import { runCli } from '${cli}'; await runCli(['--help'])`
const help = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
const lines = help.split('\n').map((line) => `  ${JSON.stringify(line)},`)
const module = `// Generated from the parser's help by \`pnpm generate\`; do not edit.

/** Output of \`arq-ts --help\` where there are 100 columns. */
export const HELP = [
${lines.join('\n')}
].join('\\n')
`
if (process.argv.includes('--check')) {
  if (readFileSync(target, 'utf8') !== module) {
    console.error('help.generated.ts is not what the parser prints: run `pnpm generate` and commit the result')
    process.exit(1)
  }
} else {
  writeFileSync(target, module)
  console.log('the help is written')
}
