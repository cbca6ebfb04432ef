import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { ARQ_VERSIONS, pythonArq } from '@arq-ts/test-support'
import { describe, expect, test } from 'vitest'
import { ARQ_PARAMETERS } from '../../src/options/arq-names.ts'

const run = promisify(execFile)

/** Prints the names of parameters of every callable that users of arq write options of. */
const LIST = `
import inspect, json
from arq.connections import ArqRedis, RedisSettings, create_pool
from arq.cron import cron
from arq.jobs import Job
from arq.worker import Retry, Worker, func
callables = {'Worker': Worker, 'create_pool': create_pool, 'RedisSettings': RedisSettings,
  'enqueue_job': ArqRedis.enqueue_job, 'func': func, 'cron': cron, 'Retry': Retry, 'Job': Job,
  'Job.result': Job.result, 'Job.abort': Job.abort}
varying = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
print(json.dumps({name: [p.name for p in inspect.signature(c).parameters.values() if p.kind not in varying]
  for name, c in callables.items()}))
`

/** Arguments that are no options: what is called, and where. */
const ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  enqueue_job: ['self', 'function'],
  cron: ['coroutine'],
  Job: ['job_id', 'redis'],
  'Job.result': ['self'],
  'Job.abort': ['self'],
}

async function parametersOf(version: string): Promise<Record<string, string[]>> {
  const { stdout } = await run(await pythonArq(version), ['-c', LIST])
  const all = JSON.parse(stdout) as Record<string, string[]>
  for (const [name, parameters] of Object.entries(all))
    all[name] = parameters.filter((parameter) => !ARGUMENTS[name]?.includes(parameter))
  return all
}

describe("the table of arq's names", () => {
  const newest = ARQ_VERSIONS.at(-1)!

  test(`has exactly the parameters of arq ${newest}`, async () => {
    const ours = Object.fromEntries(
      Object.entries(ARQ_PARAMETERS).map(([name, parameters]) => [name, Object.keys(parameters).toSorted()]),
    )
    const theirs = Object.entries(await parametersOf(newest)).map(([name, names]) => [name, names.toSorted()])
    expect(ours).toEqual(Object.fromEntries(theirs))
  })

  test.each(ARQ_VERSIONS.slice(0, -1))('has every parameter of arq %s', async (version) => {
    for (const [name, parameters] of Object.entries(await parametersOf(version)))
      expect(Object.keys(ARQ_PARAMETERS[name as keyof typeof ARQ_PARAMETERS])).toEqual(
        expect.arrayContaining(parameters),
      )
  })
})
