import { join } from 'node:path'
import { Client, createLogger } from '@arq-ts/core'
import { eventually, freePort } from '@arq-ts/test-support'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { fixtures, useCommand } from '../support/command.ts'

const bench = useCommand()
let client: Client
let port: number

beforeEach(async () => {
  client = new Client({ redis: bench.database().url, logger: createLogger({ level: 'silent' }), queueName: 'default' })
  port = await freePort()
})
afterEach(() => client.close())

/** Machines may be busy. */
const SOON = { timeoutMs: 60_000 }

/** Scrapes of one second share a collection. */
const becomes = (series: string, value: number) =>
  eventually(async () => {
    expect([series, await valueOf(series)]).toEqual([series, value])
    return true
  }, SOON)

async function startPool(size: number) {
  const args = ['--queue', 'default', '--workers', String(size), '--metrics-port', String(port)]
  const pool = bench.start(['worker', join(fixtures, 'tasks.ts'), ...args, '--log-format', 'pretty'])
  await eventually(async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).status === 200, SOON)
  await eventually(async () => (await client.workers.list()).length === size, SOON)
  return pool
}

/** The value of one series, which is written as Prometheus does; undefined where there is none. */
async function valueOf(series: string): Promise<number | undefined> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  const line = text.split('\n').find((each) => each.startsWith(`${series} `))
  return line === undefined ? undefined : Number(line.slice(series.length))
}

const DEAD = 'arq_jobs_dead_total{queue="default",function="bad"}'
const COMPLETE = 'arq_jobs_finished_total{queue="default",function="echo",outcome="complete"}'

async function runJobs(name: string, count: number): Promise<void> {
  const jobs = await Promise.all(Array.from({ length: count }, (_, i) => client.enqueue(name, [i])))
  await Promise.all(jobs.map((job) => job!.result({ timeoutMs: 20_000 }).catch(() => {})))
}

describe('counters of a pool', () => {
  test('are there at 0 for every queue and function, before anything happens', async () => {
    await startPool(1)
    for (const name of ['enqueued', 'started', 'retried', 'dead', 'abandoned'])
      expect([name, await valueOf(`arq_jobs_${name}_total{queue="default",function="bad"}`)]).toEqual([name, 0])
    expect(await valueOf('arq_leases_lost_total{queue="default",function="echo"}')).toBe(0)
    await becomes(COMPLETE, 0)
    expect(await valueOf('arq_jobs_released_total{queue="default",function="echo",reason="shutdown"}')).toBe(0)
  })

  test('do not go down when a process is killed', async () => {
    await startPool(2)
    await runJobs('bad', 6)
    await becomes(DEAD, 6)
    const [worker] = await client.workers.list()
    process.kill(worker!.pid, 'SIGKILL')
    await becomes('arq_pool_restarts', 1)
    await becomes(DEAD, 6)
    await becomes('arq_pool_processes', 2)
    await runJobs('bad', 1)
    await becomes(DEAD, 7)
  })

  test('keep over a reload what nobody had asked for before it', async () => {
    const pool = await startPool(1)
    await runJobs('echo', 5)
    pool.kill('SIGHUP')
    await pool.line(/\breloaded\b/)
    await eventually(async () => (await client.workers.list()).length === 1, SOON)
    await becomes(COMPLETE, 5)
  })

  test('stay where a process gives no answer', async () => {
    await startPool(1)
    await runJobs('echo', 3)
    await becomes(COMPLETE, 3)
    const [worker] = await client.workers.list()
    process.kill(worker!.pid, 'SIGSTOP')
    try {
      await becomes(COMPLETE, 3)
    } finally {
      process.kill(worker!.pid, 'SIGCONT')
    }
  })
})
