import { configJsonSchema, loadConfig, taskQueueDefaults } from '@arq-ts/core/config'
import { expect, test } from 'vitest'
import yargs from 'yargs'
import type { Argv } from 'yargs'
import { build } from '../../src/cli.ts'
import { METRICS_HOST } from '../../src/metrics/server.ts'

interface Internals {
  getOptions(): { choices: Record<string, readonly string[]>; key: Record<string, unknown> }
  getInternalMethods(): {
    getCommandInstance(): { getCommandHandlers(): Record<string, { builder: (yargs: Argv) => Argv }> }
    getUsageInstance(): { getDescriptions(): Record<string, string> }
  }
}

/** Flags of `arq-ts worker`: the values that each accepts, and its help text. */
function workerFlags() {
  const grammar = build([], () => async () => {}) as unknown as Internals
  const { builder } = grammar.getInternalMethods().getCommandInstance().getCommandHandlers()['worker']!
  const within = yargs([])
  builder(within)
  const internals = within as unknown as Internals
  return {
    choices: internals.getOptions().choices,
    help: internals.getInternalMethods().getUsageInstance().getDescriptions(),
    all: [...Object.keys(internals.getOptions().key), ...Object.keys((grammar as Internals).getOptions().key)],
  }
}

const { properties } = (
  configJsonSchema() as { properties: { task_queue: { properties: Record<string, { enum?: string[] }> } } }
).properties.task_queue

test('a flag of `arq-ts worker` takes the values of the setting that it sets', () => {
  const { choices } = workerFlags()
  expect(choices['queue-order']).toEqual(properties['queue_order']!.enum)
})

test('the default that help states is that of the setting', () => {
  const { help } = workerFlags()
  const stated = (flag: string) => /\[(.+)\]$/.exec(help[flag] ?? '')?.[1]
  expect(stated('recorder')).toBe(String(taskQueueDefaults().recorder))
  expect(stated('metrics-host')).toBe(METRICS_HOST)
})

test('a wrong value of a setting that a flag has set is reported by that flag', () => {
  const { all } = workerFlags()
  for (const key of ['worker_pool_size', 'max_jobs', 'recorder', 'queue_name', 'queues', 'queue_order', 'redis_url']) {
    let where = ''
    try {
      loadConfig({ env: {}, cwd: '/nowhere', flags: { [key]: [] } })
    } catch (error) {
      where = (error as { problems: { where: string }[] }).problems[0]!.where
    }
    expect(all, key).toContain(where.replace(/^--/, ''))
  }
})
