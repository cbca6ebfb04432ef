// Runs the commands of a block in a shell, and compares what they print with what the page shows.
//
// In a `console` block a command begins with `$ `, and the lines after it are its output, where the page shows any. `…` in such
// a line stands for anything, a line `…` for any lines; times, ids and the width of columns may differ. A `sh` block has commands alone.
import { spawn } from 'node:child_process'

/** Commands that run until they are ended: like a worker in a terminal of its own, they run until the end of the page. */
const SERVICE = /^(?:npx )?(?:arq-ts (?:worker|dashboard)\b|tsx worker\b)(?!.*--(?:burst|help))/

/**
 * @param {'sh' | 'console'} language
 * @returns {{ command: string, shown: string[] }[]} the commands of a block, each with the output that the block shows
 */
export function commandsOf(language, source) {
  const commands = []
  for (const line of source.trimEnd().split('\n')) {
    if (language === 'console' && !line.startsWith('$ ')) commands.at(-1).shown.push(line)
    else if (line.trim() !== '' && !line.startsWith('#'))
      commands.push({ command: line.replace(/^\$ /, ''), shown: [] })
  }
  return commands
}

/**
 * Runs a command in a shell. Of a service, gives the child once it is ready, and has printed what the page shows.
 *
 * @param {{ isReady: (now: { command: string, output: string }) => Promise<boolean>, onStart: (child: ChildProcess) => void }} options
 * @throws Error with what it printed, when it fails or prints something else than the page shows
 */
export async function runCommand({ command, shown }, { isReady, onStart }) {
  const isService = SERVICE.test(command)
  const child = spawn('bash', ['-c', `exec 2>&1; ${isService ? 'exec ' : ''}${command}`], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  onStart(child)
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  const ended = new Promise((resolve) => child.on('close', (code) => resolve(code ?? 1)))
  const difference = () => differences(shown, output)
  if (isService) {
    const isUp = async () => (await isReady({ command, output })) && difference() === undefined
    const code = await Promise.race([ended, until(isUp)])
    if (code === undefined) return { child, ended }
  }
  const code = await ended
  const what = isService || code !== 0 ? `ends with ${code}` : difference() && `prints ${difference()}`
  if (what) throw new Error(`\`${command}\` ${what}:\n${output}`)
  return undefined
}

/** The difference of the output that came from what a page shows, in words; undefined where there is none, or it shows nothing. */
export function differences(shown, output) {
  if (shown.length === 0) return undefined
  const came = normalized(output).split('\n')
  let at = 0
  let mayLeaveOut = false
  for (const line of shown.map(normalized)) {
    if (line === '…') {
      mayLeaveOut = true
      continue
    }
    const pattern = new RegExp(`^${line.split('…').map(escaped).join('.*')}$`)
    while (mayLeaveOut && at < came.length && !pattern.test(came[at])) at++
    if (!pattern.test(came[at] ?? '')) return `"${came[at] ?? ''}", not "${line}"`
    at++
    mayLeaveOut = false
  }
  return mayLeaveOut || at >= came.length ? undefined : `"${came[at]}" besides`
}

/** Output in which all that differs from run to run is alike. */
function normalized(text) {
  return text
    .trimEnd()
    .replaceAll(/\b[0-9a-f]{32}\b|\b1[0-9]{12}\b/g, '<id>')
    .replaceAll(/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?/g, '<time>')
    .replaceAll(/\b\d+(?:\.\d+)? ?(?:ms|s|min|m|h|d)\b/g, '<duration>')
    .replaceAll(/<duration>(?: <duration>)+/g, '<duration>')
    .replaceAll(/[─-]{3,}/g, '---')
    .replaceAll(/[ \t]+/g, ' ')
    .replaceAll(/ ?\n ?/g, '\n')
    .trim()
}

function escaped(text) {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
}

async function until(isTrue) {
  const LOOK_MS = 20
  while (!(await isTrue())) await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
}
