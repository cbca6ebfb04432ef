// Checks that the verbs and flags in the shell blocks of the pages exist.
import { join } from 'node:path'
import { root } from '../lib/command.mjs'
import { say } from '../lib/say.mjs'
import { pages, partsOf } from './pages.mjs'

/** Commands of shell blocks with unknown verbs or flags, one per line. */
export async function unknownCommands() {
  const { runCommand } = await import(join(root, 'packages/cli/dist/cli.js'))
  const helps = new Map()
  const helpOf = async (words) => {
    const key = words.join(' ')
    if (!helps.has(key)) {
      let text = ''
      const sink = { write: (part) => (text += part) }
      const { log } = console // where the parser prints help
      console.log = sink.write
      await runCommand([...words, '--help'], { stdout: sink, stderr: sink, env: {} })
      console.log = log
      helps.set(key, text)
    }
    return helps.get(key)
  }
  const wrong = []
  let looked = 0
  for (const page of pages) {
    const blocks = [...partsOf(page)].filter(({ language }) => ['sh', 'bash', 'console'].includes(language))
    for (const line of blocks.flatMap(({ source }) => source.split('\n'))) {
      const words = /^(?:\$ )?arq-ts (.+?)(?:\s+#.*)?$/.exec(line)?.[1].split(/\s+/)
      if (!words) continue
      looked++
      const verbs = words.slice(0, words.findIndex((word) => !/^[a-z][a-z-]*$/.test(word)) >>> 0).slice(0, 2)
      const help = verbs.length > 0 ? await helpOf(verbs) : ''
      const isVerb = new RegExp(`arq-ts ${verbs[0]}\\b`).test(help)
      const flags = words.flatMap((word) => /^--[a-z][a-z-]*/.exec(word)?.[0].replace(/^--no-/, '--') ?? [])
      const missing = flags.filter((flag) => !new RegExp(`${flag}\\b`).test(help))
      if (!isVerb) wrong.push(`${page}: there is no command 'arq-ts ${verbs.join(' ')}'`)
      for (const flag of missing) wrong.push(`${page}: 'arq-ts ${verbs.join(' ')}' has no flag ${flag}`)
    }
  }
  if (wrong.length === 0) say(`${looked} commands name verbs and flags that exist`)
  return wrong
}
