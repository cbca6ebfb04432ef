import { emitKeypressEvents } from 'node:readline'
import type { Key } from 'node:readline'
import { asError } from '@arq-ts/protocol/errors'
import { showId } from '@arq-ts/protocol/jobs'
import type { GlobalArgs } from '../args.ts'
import { audited } from '../audit.ts'
import { CommandError, EXIT } from '../exit.ts'
import { processIo } from '../io.ts'
import { damageNote, fieldLines } from '../output.ts'
import { hasColors, printable, rendered } from '../style.ts'
import { jobFields } from '../commands/job.ts'
import { queueFields } from '../commands/queue.ts'
import { QueueWatch } from '../queue-watch.ts'
import { searchOf, UNSEEN_QUEUES, withSession } from '../session.ts'
import type { Session } from '../session.ts'
import { oneAtATime } from './one-at-a-time.ts'
import { frame } from './frame.ts'
import { press, ratesBetween } from './model.ts'
import type { Action, Snapshot, View } from './model.ts'

const ALTERNATE_SCREEN = '\u001B[?1049h\u001B[?25l'
const NORMAL_SCREEN = '\u001B[?25h\u001B[?1049l'
const HOME = '\u001B[H'
const CLEAR_LINE = '\u001B[K'
const CLEAR_BELOW = '\u001B[J'
const DEAD_SHOWN = 50

/** `top`: a screen on a terminal; one look as data with `--json`. */
export function top(args: GlobalArgs & { interval: number }): Promise<number> {
  return withSession(args, async (session) => {
    if (args.json) {
      // One look: nobody waits for a second one, at all keys.
      const names = () => session.client.queues.names(searchOf(session))
      session.out.data(await look(session, { names }), () => {})
      return EXIT.ok
    }
    const { stdin, stdout } = args.io ?? processIo
    if (!stdin.isTTY || !stdout.isTTY) {
      throw new CommandError('top needs a terminal; --json gives one look as data')
    }
    await live(session, Math.max(100, args.interval))
    return EXIT.ok
  })
}

async function look({ client }: Session, watch: Pick<QueueWatch, 'names'>): Promise<Snapshot> {
  const { names, complete } = await watch.names()
  const [atMs, queues, fleet, dead, countDead] = await Promise.all([
    client.now(),
    client.queues.statsOf(names),
    client.workers.fleet(names),
    client.deadLetters.list({ limit: DEAD_SHOWN }),
    client.deadLetters.count(),
  ])
  const incomplete = complete ? [] : [UNSEEN_QUEUES]
  for (const { workerId, reason } of fleet.unreadable) incomplete.push(`the worker ${showId(workerId)}: ${reason}`)
  incomplete.push(...queues.flatMap((queue) => queue.problems))
  const damaged = client.doctor.takeDamagedKeys().map(({ key }) => key)
  incomplete.push(...damaged.filter((key) => !incomplete.some((what) => what.includes(showId(key)))).map(damageNote))
  const isComplete = incomplete.length === 0
  const { workers, python } = fleet
  return { atMs, queues, workers, python, dead, countDead, complete: isComplete, incomplete }
}

async function live(session: Session, intervalMs: number): Promise<void> {
  const { stdin, stdout } = process
  const watch = new QueueWatch(session.client, searchOf(session))
  let view: View = {
    address: session.address,
    now: await look(session, watch),
    rates: new Map(),
    mode: 'list',
    section: 'queues',
    selected: 0,
    filter: '',
    detail: [],
    message: '',
    asks: null,
  }
  let isOver = false
  const draw = () => {
    if (isOver) return
    const colors = hasColors(stdout, process.env)
    const lines = frame(view, { rows: stdout.rows, columns: stdout.columns })
    stdout.write(HOME + lines.map((line) => rendered(line, colors) + CLEAR_LINE).join('\r\n') + CLEAR_BELOW)
  }
  const refresh = oneAtATime(async () => {
    try {
      const now = await look(session, watch)
      view = { ...view, now, rates: ratesBetween(view.now, now) }
    } catch (error) {
      // A look may fail while Redis is away; the next one shows when it is back.
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
      if (action.kind === 'inspect' || action.kind === 'inspect-queue') {
        const detail = await inspect(session, action)
        if (view.mode === 'detail') view = { ...view, detail }
        return draw()
      }
      view = { ...view, message: await perform(session, action) }
      await refresh()
    }
    stdin.on('keypress', (text: string | undefined, key: Key) => {
      const name = key.ctrl ? `ctrl-${key.name}` : key.shift && text ? text : (key.name ?? text ?? '')
      const pressed = press(view, name, text)
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

/** Everything about a job or a queue, as lines; errors too. */
async function inspect(
  session: Session,
  action: Extract<Action, { kind: 'inspect' | 'inspect-queue' }>,
): Promise<string[]> {
  try {
    const { client, nowMs } = session
    if (action.kind === 'inspect-queue')
      return fieldLines(queueFields(await client.queues.stats(action.queueName), nowMs))
    const where = action.queueName === null ? {} : { queueName: action.queueName }
    const { job, reasons } = await client.jobs.explain(action.jobId, where)
    const why = reasons.map(
      ({ check, ok, detail }) => `${ok === null ? '?' : ok ? '✓' : '✗'} ${check.padEnd(8)}  ${detail}`,
    )
    return [...fieldLines(jobFields(job, await client.now())), '', ...why]
  } catch (error) {
    return [oneLine(error)]
  }
}

/** Does what a key asked for; returns what came of it, errors too: thrown, they would leave the terminal as it is. */
export async function perform(
  { client, io }: Pick<Session, 'client' | 'io'>,
  action: Exclude<Action, { kind: 'quit' | 'inspect' | 'inspect-queue' }>,
): Promise<string> {
  const notes: string[] = []
  const session = { client, io, out: { note: (text: string) => void notes.push(text) } }
  const said = (message: string) => [message, ...notes].join('; ')
  const queue = (word: string, queueName: string) => ({ action: word, kind: 'queue', names: [queueName] })
  const job = (word: string, jobId: string) => ({ action: word, kind: 'job', names: [jobId] })
  try {
    if (action.kind === 'pause') {
      const { queueName } = action
      await audited(session, queue('pause', queueName), () => client.queues.pause(queueName))
      return said(`${showId(action.queueName)} is paused`)
    }
    if (action.kind === 'resume') {
      const { queueName } = action
      await audited(session, queue('resume', queueName), () => client.queues.resume(queueName))
      return said(`${showId(action.queueName)} resumed`)
    }
    if (action.kind === 'abort') {
      const { jobId, queueName } = action
      const ask = () => client.jobs.requestAbort(jobId, { queueName })
      const asked = await audited(session, job('abort', jobId), ask)
      return said(asked ? `${showId(jobId)}: abort asked for` : `${showId(jobId)} has ended`)
    }
    const queued = await audited(session, job('retry', action.jobId), () => client.jobs.retry(action.jobId))
    return said(`${showId(action.jobId)} is ${queued ? 'queued again' : 'queued or running already'}`)
  } catch (error) {
    return oneLine(error)
  }
}

function oneLine(error: unknown): string {
  return printable(asError(error).message)
}
