import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { configJsonSchema, taskQueueDefaults, workerOptionsOf } from '../../src/config/index.ts'
import { clientDefaults, workerDefaults } from '../../src/index.ts'
import { ARQ_PARAMETERS } from '../../src/options/arq-names.ts'
import { resolveClientOptions } from '../../src/options/client.ts'
import { resolveWorkerOptions } from '../../src/options/worker.ts'
import { defineTask } from '../../src/index.ts'

const read = (path: string) => readFileSync(new URL(`../../../../${path}`, import.meta.url), 'utf8')
const page = read('docs/reference/options.md')

/** Rows of a section by the option, as its cells. */
function rowsOf(heading: string): Map<string, string[]> {
  const section = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? ''
  const lines = [...section.matchAll(/^\| `(\w+)` \|(.*)\|$/gm)]
  return new Map(lines.map(([, name = '', rest = '']) => [name, rest.split('|').map((cell) => cell.trim())]))
}

/** A default as the page writes it; undefined for a default that it describes in words. */
function cellOf(value: unknown): string | undefined {
  if (typeof value === 'number') return value.toLocaleString('en')
  if (typeof value === 'boolean') return String(value)
  if (typeof value === 'string') return value === '' ? 'none' : `\`${value}\``
  return undefined
}

const records: [heading: string, defaults: object, file: string][] = [
  ['Client', clientDefaults, 'client'],
  ['Worker', workerDefaults, 'worker'],
]

describe('the defaults are stated once', () => {
  test.each(records)('the page states them for every option: %s', (heading, defaults) => {
    const rows = rowsOf(heading)
    expect([...rows.keys()].toSorted()).toEqual(Object.keys(defaults).toSorted())
    for (const [name, value] of Object.entries(defaults)) {
      const cell = rows.get(name)!.at(-2)!
      const expected = cellOf(value)
      // A worker's ticks have a codec of their own, and `true` stands for a record with its own default.
      if (expected !== undefined) expect(cell.split(';')[0], name).toBe(expected)
      else expect(cell, name).not.toBe('')
    }
  })

  test.each(records)('the comments of the types state them: %s', (_, defaults, file) => {
    const source = read(`packages/core/src/options/${file}.ts`) + read('packages/core/src/options/connection.ts')
    for (const [, comment = '', name = ''] of source.matchAll(/\/\*\*((?:(?!\*\/).)*)\*\/\n {2}(\w+)\?: /gs)) {
      const said = /Default:? `?([^`.;\s]+(?:\.\d+)?)`?/.exec(comment.replaceAll('\n   *', ''))?.[1]
      const value = (defaults as Record<string, unknown>)[name]
      if (typeof value === 'number')
        expect(said, name).toMatch(new RegExp(`^${value.toLocaleString('en')}$|^(one|64|128)$`))
      if (typeof value === 'boolean') expect(said, name).toBe(String(value))
    }
  })

  test('apply to options that are not given', () => {
    const tasks = [defineTask({ name: 'f', handler: () => 1 })]
    const { queues, ...worker } = resolveWorkerOptions({ tasks })
    const { queueName, ...expected } = workerDefaults
    expect(queues).toEqual([{ name: queueName, weight: 1 }])
    expect(worker).toEqual({ ...expected, queueName, tasks, queueReadLimit: 100 })
    expect(resolveClientOptions({})).toEqual(clientDefaults)
  })

  test('cannot be changed', () => {
    expect(() => Object.assign(workerDefaults, { maxJobs: 5 })).toThrow(TypeError)
    expect(() => Object.assign(workerDefaults.deadLetter, { maxCount: 5 })).toThrow(TypeError)
    expect(() => Object.assign(clientDefaults, { codec: 'json' })).toThrow(TypeError)
  })
})

describe('the configuration', () => {
  test("has the worker's defaults, but for those of the operations guide", () => {
    const own: Record<string, unknown> = workerDefaults
    const differing = Object.entries(workerOptionsOf(taskQueueDefaults()))
      .filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(own[name]))
      .map(([name]) => name)
    expect(differing.toSorted()).toEqual([
      'healthCheckIntervalMs',
      'jobCompletionWaitMs',
      'jobTimeoutMs',
      'keepResultMs',
      'maxTries',
      'queueName',
      'recorder', // `true`, which stands for the record
      'redis', // database 1
      'retry',
    ])
  })

  test('matches its JSON schema and its page', () => {
    const schema = configJsonSchema() as {
      properties: { task_queue: { properties: Record<string, { default?: unknown }> } }
    }
    expect(JSON.parse(read('docs/reference/task-queue.schema.json'))).toEqual(schema)
    const defaults: Record<string, unknown> = taskQueueDefaults()
    const table = read('docs/reference/configuration.md')
    for (const [key, property] of Object.entries(schema.properties.task_queue.properties)) {
      expect(property.default, key).toEqual(defaults[key])
      const cell = property.default === undefined ? '' : `\`${JSON.stringify(property.default)}\``
      expect(table).toContain(`| \`${key}\` | `)
      expect(new RegExp(`^\\| \`${key}\` \\| .* \\| (.*?) \\| .*\\|$`, 'm').exec(table)?.[1]?.trim(), key).toBe(cell)
    }
  })
})

test("the page names arq's parameter of each option as the table of arq's names has it", () => {
  const places = {
    Client: ARQ_PARAMETERS.create_pool,
    Worker: ARQ_PARAMETERS.Worker,
    Enqueue: ARQ_PARAMETERS.enqueue_job,
  }
  for (const [heading, parameters] of Object.entries(places)) {
    const named = new Map<string, string[]>()
    for (const [arq, ours] of Object.entries(parameters))
      if (typeof ours === 'string') named.set(ours, [...(named.get(ours) ?? []), arq])
    for (const [option, [arq = '']] of rowsOf(heading)) {
      const theirs = named.get(option) ?? []
      const cell = arq.replaceAll('`', '')
      if (cell === '–' || cell === 'keywords') expect(theirs, option).toEqual([])
      else expect([...theirs, 'redis_settings'], option).toContain(cell)
    }
  }
})
