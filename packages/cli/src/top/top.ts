import { emitKeypressEvents } from 'node:readline'
import type { Key } from 'node:readline'
import type { GlobalArgs } from '../args.ts'
import { CommandError, EXIT } from '../exit.ts'
import { colorsFor } from '../output.ts'
import { printable } from '../printable.ts'
import { withSession } from '../session.ts'
import type { Session } from '../session.ts'
import { oneAtATime } from './one-at-a-time.ts'
import { frame, press, ratesBetween } from './view.ts'
import type { Action, Snapshot, View } from './view.ts'

const ALTERNATE_SCREEN = '\u001B[?1049h\u001B[?25l'
const NORMAL_SCREEN = '\u001B[?25h\u001B[?1049l'
const HOME = '\u001B[H'
const CLEAR_LINE = '\u001B[K'
const CLEAR_BELOW = '\u001B[J'
const DEAD_SHOWN = 50
/** Looking through the database for queues nobody told of costs many calls. */
const SCAN_EVERY_MS = 30_000

/** `top`: a screen on a terminal; one look as data with `--json`. */
export function top(args: GlobalArgs & { interval: number }): Promise<number> {
  return withSession(args, async (session) => {
    if (args.json) {
      session.out.data(await look(session), () => {})
      return EXIT.ok
    }
    if (!process.stdin.isTTY || !process.stdout.isTTY) {
      throw new CommandError('top needs a terminal; --json gives one look as data')
    }
    await live(session, Math.max(100, args.interval))
    return EXIT.ok
  })
}

/** @param seen - queues of a look before, where the database is not to be looked through again. */
async function look({ client, queueNames }: Session, seen?: readonly string[]): Promise<Snapshot> {
  const known = seen ? { known: [...queueNames, ...seen], scanKeys: 0 } : { known: queueNames }
  const { names } = await client.queues.names(known)
  const [atMs, queues, workers, dead, countDead] = await Promise.all([
    client.inspector.now(),
    Promise.all(names.map((name) => client.queues.stats(name))),
    client.inspector.workers(),
    client.inspector.deadLetters({ limit: DEAD_SHOWN }),
    client.inspector.countDead(),
  ])
  return { atMs, queues, workers, dead, countDead }
}

async function live(session: Session, intervalMs: number): Promise<void> {
  const { stdin, stdout } = process
  let view: View = {
    address: session.address,
    now: await look(session),
    rates: new Map(),
    section: 'queues',
    selected: 0,
    message: '',
    asks: null,
  }
  let isOver = false
  let scannedAtMs = performance.now()
  const draw = () => {
    if (isOver) return
    const lines = frame(view, { rows: stdout.rows, columns: stdout.columns }, colorsFor(stdout))
    stdout.write(HOME + lines.map((line) => line + CLEAR_LINE).join('\r\n') + CLEAR_BELOW)
  }
  const refresh = oneAtATime(async () => {
    try {
      const isDue = performance.now() - scannedAtMs >= SCAN_EVERY_MS
      const now = await look(session, isDue ? undefined : view.now.queues.map((queue) => queue.queueName))
      if (isDue) scannedAtMs = performance.now()
      view = { ...view, now, rates: ratesBetween(view.now, now) }
    } catch (error) {
      // A look may fail while Redis is away; the next one tells when it is back.
      view = { ...view, message: `Redis: ${oneLine(error)}` }
    }
    draw()
  })
  // A slow look is not followed by one that was due meanwhile.
  let timer: NodeJS.Timeout | undefined
  const lookLater = () => {
    timer = setTimeout(() => void refresh().then(() => isOver || lookLater()), intervalMs)
  }
  let end = () => {}
  const ended = new Promise<void>((resolve) => (end = resolve))

  stdout.write(ALTERNATE_SCREEN)
  emitKeypressEvents(stdin)
  stdin.setRawMode(true)
  stdin.resume()
  lookLater()
  try {
    draw()
    const act = async (action: Action) => {
      if (action.kind === 'quit') return end()
      view = { ...view, message: await perform(session, action) }
      await refresh()
    }
    stdin.on('keypress', (text: string | undefined, key: Key) => {
      const pressed = press(view, key.ctrl ? `ctrl-${key.name}` : (key.name ?? text ?? ''))
      view = pressed.view
      draw()
      if (pressed.action) void act(pressed.action)
    })
    stdout.on('resize', draw)
    for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.once(signal, end)
    await ended
  } finally {
    isOver = true
    clearTimeout(timer)
    stdin.removeAllListeners('keypress')
    stdout.off('resize', draw)
    for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.off(signal, end)
    stdin.setRawMode(false)
    stdin.pause()
    stdout.write(NORMAL_SCREEN)
  }
}

/** Does what a key asked for; tells what came of it, errors too: thrown, they would leave the terminal as it is. */
export async function perform(
  { client }: Pick<Session, 'client'>,
  action: Exclude<Action, { kind: 'quit' }>,
): Promise<string> {
  try {
    if (action.kind === 'pause') {
      await client.queues.pause(action.queueName)
      return `${action.queueName} is paused`
    }
    if (action.kind === 'resume') {
      await client.queues.resume(action.queueName)
      return `${action.queueName} goes on`
    }
    if (action.kind === 'abort') {
      const asked = await client.inspector.requestAbort(action.jobId, { queueName: action.queueName })
      return asked ? `${action.jobId}: abort asked for` : `${action.jobId} has ended`
    }
    const queued = await client.inspector.retryJob(action.jobId)
    return queued ? `${action.jobId} is queued again` : `${action.jobId} is queued or running already`
  } catch (error) {
    return oneLine(error)
  }
}

function oneLine(error: unknown): string {
  return printable(error instanceof Error ? error.message : String(error)).replaceAll('\n', ' ')
}
