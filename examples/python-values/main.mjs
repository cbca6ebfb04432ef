// Reads what a Python producer pickled: each value as the type that keeps all of it. PYTHON is an interpreter with arq.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createLogger, DateTime, defineTask, PlainDate, PyObject, TimeDelta, Worker } from '@arq-ts/core'

const redis = process.env.REDIS_URL ?? 'redis://localhost:6379'
const logger = createLogger({ level: 'warn' })
const producer = fileURLToPath(new URL('producer.py', import.meta.url))
const env = { ...process.env, REDIS_URL: redis }
await promisify(execFile)(process.env.PYTHON ?? 'python3', [producer], { env })

const show = defineTask({
  name: 'show',
  handler: ({ kwargs }) => {
    for (const [name, value] of Object.entries(kwargs)) console.log(name, kindOf(value), textOf(value))
  },
})

function kindOf(value) {
  return typeof value === 'object' ? value.constructor.name : typeof value
}

function textOf(value) {
  // An instance of a class of the producer: its name and fields arrive as data; none of its code runs.
  if (value instanceof PyObject) return `${value.name}: ${textOf(value.state)}`
  if (value instanceof DateTime) return value.isoformat() // a Date, too, with its microseconds and its zone
  if (value instanceof PlainDate) return `${value.year}-${value.month}-${value.day}`
  if (value instanceof TimeDelta) return `${value.totalMs} ms`
  if (value instanceof Map) return [...value].map(([key, item]) => `${key}=${textOf(item)}`).join(' ')
  if (value instanceof Set || value instanceof Uint8Array || Array.isArray(value)) return [...value].join(' ')
  if (value?.constructor === Object)
    return Object.entries(value)
      .map(([key, item]) => `${key}=${textOf(item)}`)
      .join(' ')
  return String(value)
}

await new Worker({ redis, logger, queueName: 'example:python-values', tasks: [show], burst: true }).run()
