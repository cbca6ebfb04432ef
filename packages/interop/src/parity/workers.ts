/** The two workers that are compared, as processes; both take arq's options and print their log as JSON lines. */

import { fileURLToPath } from 'node:url'
import { Child } from '@arq-ts/test-support'
import { pythonOf, pythonScript } from '../python.ts'

/** The worker of a version of arq, or ours. */
export type Side = { arq: string } | 'arq-ts'

/** arq's options, durations in seconds. */
export type ArqOptions = Readonly<Record<string, number | boolean | string>>

export interface WorkerRequest {
  url: string
  /** `default`: none is named. */
  codec: 'default' | 'msgpack'
  options: ArqOptions
  /** Cron jobs by name. */
  cron: Readonly<Record<string, object>>
  /** Hooks that raise an error, by arq's names. */
  failingHooks: readonly string[]
}

const DURATIONS = new Set(['poll_delay', 'job_timeout', 'keep_result', 'health_check_interval', 'job_completion_wait'])

export function startWorker(side: Side, request: WorkerRequest): Child {
  if (side !== 'arq-ts') return pythonScript(pythonOf(side.arq)!, 'parity_worker', request)
  const script = fileURLToPath(new URL('../../fixtures/parity-worker.mjs', import.meta.url))
  const codec = request.codec === 'default' ? {} : { codec: request.codec }
  const options = { ...ourOptions(request.options), ...codec }
  return new Child(process.execPath, [script, JSON.stringify({ ...request, options })])
}

/** `keep_result: 60` → `keepResultMs: 60000`. */
function ourOptions(options: ArqOptions): object {
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => {
      const camel = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
      return DURATIONS.has(name) ? [`${camel}Ms`, Number(value) * 1000] : [camel, value]
    }),
  )
}

/** The message of a log line as either worker prints it, undefined for a line that is none. */
export function recordOf(line: string): LogRecord | undefined {
  if (!line.startsWith('{')) return undefined
  const fields = JSON.parse(line) as Record<string, unknown>
  if (typeof fields.level === 'string') return fields as unknown as LogRecord
  const { level, msg, err, extra } = fields as { level: number; msg: string; err?: unknown; extra?: unknown }
  const record = { level: PYTHON_LEVELS[level] ?? String(level), message: msg, hasError: err !== undefined }
  return extra === undefined ? record : { ...record, extra }
}

export interface LogRecord {
  /** Level, by Python's name. */
  level: string
  message: string
  /** With a traceback. */
  hasError: boolean
  extra?: unknown
}

const PYTHON_LEVELS: Readonly<Record<number, string>> = {
  20: 'DEBUG',
  30: 'INFO',
  40: 'WARNING',
  50: 'ERROR',
  60: 'CRITICAL',
}
