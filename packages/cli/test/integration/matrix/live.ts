import { spawnSync } from 'node:child_process'
import { Keys } from '@arq-ts/protocol/jobs'
import { Child } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { main } from '../../support/command.ts'
import { CALM, HEALTHY } from './fleet.ts'
import type { CalmFleet } from './fleet.ts'

const hasTerminal = spawnSync('script', ['--version']).status === 0
const STARTED_MS = 60_000
const ANSWER_MS = 20_000
/** Messages that no worker sends. */
const STRAY_MESSAGES = ['', 'x', '[]', '{"event":1}', '{"event":"jobFinished"}']

/** A verb that runs until a signal: it is started once, and must be at work after each fault. */
interface LiveVerb {
  words: readonly string[]
  /** Its first line once it is at work. */
  ready: RegExp
  /** Asks it for something, and returns what is wrong with the answer. */
  look(child: Child, readyLine: string): Promise<string[]>
}

interface Running {
  name: string
  verb: LiveVerb
  child: Child
  readyLine: string
}

/** The verbs that run until a signal, each in a process of its own, through all scenes. */
export class LiveVerbs {
  readonly #running: readonly Running[]

  private constructor(running: readonly Running[]) {
    this.#running = running
  }

  /** @param database - Holds the healthy fleet. */
  static async start(database: Database, fleet: CalmFleet): Promise<LiveVerbs> {
    const verbs = liveVerbs(database, fleet)
    const entries = Object.entries(verbs).filter(([name]) => name !== 'top' || hasTerminal)
    const running = entries.map(async ([name, verb]) => {
      const child = start(name, [...verb.words, '--redis', database.url])
      return { name, verb, child, readyLine: await child.line(verb.ready, { timeoutMs: STARTED_MS }) }
    })
    return new LiveVerbs(await Promise.all(running))
  }

  /** Faults of any of them, a line each. */
  async look(): Promise<string[]> {
    const found = this.#running.map(async ({ child, name, readyLine, verb }) => {
      const lines = await verb.look(child, readyLine).catch((error: unknown) => [String(error)])
      if (child.hasEnded) lines.push(`it has ended: ${child.lines.slice(-5).join('\n')}`)
      const trace = child.lines.find((line) => /^\s+at .*:\d+:\d+/.test(line))
      if (trace !== undefined) lines.push(`a raw stack trace: ${trace}`)
      return lines.map((line) => `${name}: ${line}`)
    })
    return (await Promise.all(found)).flat()
  }

  /** Ends all of them; returns those that end otherwise than well. */
  async stop(): Promise<string[]> {
    const ended = this.#running.map(async ({ child, name }) => {
      if (name === 'top') child.write('\u0003')
      else child.kill('SIGTERM')
      const code = await child.exited
      return code === 0 ? [] : [`${name}: exit ${code}: ${child.lines.slice(-3).join('\n')}`]
    })
    return (await Promise.all(ended)).flat()
  }
}

/** `top` needs a terminal, which util-linux's `script` makes. */
function start(name: string, words: readonly string[]): Child {
  const env = { ...process.env, TERM: 'xterm', SHELL: '/bin/sh', NODE_OPTIONS: '' }
  if (name !== 'top') return new Child(process.execPath, [main, ...words], { env })
  const command = `stty rows 60 cols 160; exec ${process.execPath} ${main} ${words.join(' ')}`
  return new Child('script', ['-qfec', command, '/dev/null'], { env, stdin: true })
}

/** Calls by verb: a new one that runs until a signal belongs here. */
export function liveVerbs(database: Database, fleet: CalmFleet): Readonly<Record<string, LiveVerb>> {
  return {
    exporter: {
      words: ['exporter', '--port', '0'],
      ready: /metrics of all queues/,
      async look(_child, readyLine) {
        const [url] = /http:\S+\/metrics/.exec(readyLine)!
        const text = await (await ask(url)).text()
        return ['arq_redis_up 1', `arq_queue_jobs{queue="${CALM}",state="deferred"}`]
          .filter((line) => !text.includes(line))
          .map((line) => `no line ${line}: ${text.slice(0, 300)}`)
      },
    },
    dashboard: {
      words: ['dashboard', '--port', '0'],
      ready: /^http:/,
      look: async (_child, url) => (await Promise.all((await views(url)).map((path) => view(url, path)))).flat(),
    },
    events: {
      words: ['events'],
      ready: /listening/,
      async look(child) {
        const from = child.lines.length
        const { events } = new Keys('', database.redis.options.db)
        for (const message of [...STRAY_MESSAGES, fleet.eventMessage]) await database.redis.publish(events, message)
        await child.line(new RegExp(HEALTHY.complete), { from, timeoutMs: ANSWER_MS })
        return []
      },
    },
    top: {
      words: ['top', '--interval', '100ms'],
      ready: /queues/,
      async look(child) {
        // Into the details of the first queue and back, then past the sections.
        for (const keys of ['\r', ' ', '\t', '\t', '\t']) child.write(keys)
        const from = child.lines.length
        // In bold or inverse, a code of the terminal stands before the name.
        await child.line(new RegExp(`(?:\\b|\\[\\d+m)${CALM}\\b`), { from, timeoutMs: ANSWER_MS })
        return []
      },
    },
  }
}

/** Every page's data of the dashboard: the views that name nothing, and those of the healthy queue and job. */
async function views(url: string): Promise<string[]> {
  const { paths } = (await (await ask(`${url}api/openapi.json`)).json()) as { paths: Record<string, object> }
  return Object.entries(paths)
    .filter(([path, methods]) => 'get' in methods && !path.endsWith('/stream') && !path.includes('/errors/{'))
    .map(([path]) => path.replace('queues/{id}', `queues/${CALM}`).replace('jobs/{id}', `jobs/${HEALTHY.queued}`))
}

async function view(url: string, path: string): Promise<string[]> {
  const response = await ask(url + path.slice(1))
  const text = await response.text()
  // 501 is the answer of a view whose package was not given.
  return response.status < 500 || response.status === 501
    ? []
    : [`${path} answers ${response.status}: ${text.slice(0, 300)}`]
}

function ask(url: string): Promise<Response> {
  return fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) })
}
