import { execFile, spawn } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Bench, MeasureRows } from '../bench.ts'
import { inRounds } from '../rounds.ts'
import type { Figures } from '../rounds.ts'

const run = promisify(execFile)

/** Time that the command takes to be of use. */
export const startup: MeasureRows = async function* (bench) {
  bench.say('start-up of the command')
  const cli = join(import.meta.dirname, '../../../packages/cli/dist/main.js')
  const ways: [name: string, measure: () => Promise<number>][] = [
    ['node, doing nothing', () => timed(() => run(process.execPath, ['-e', '0']))],
    ['arq-ts --help', () => timed(() => run(process.execPath, [cli, '--help']))],
    ['arq-ts --version', () => timed(() => run(process.execPath, [cli, '--version']))],
    ['arq-ts worker, until it polls', () => untilReady(bench, cli)],
  ]
  const contenders = ways.map(([name]) => ({ name, launch: { command: '', args: [] } }))
  const rounds = bench.quick ? 5 : 15
  const cells = await inRounds(
    rounds,
    contenders,
    async (_, __, i): Promise<Figures> => ({ value: await ways[i]![1]() }),
    () => {},
  )
  yield {
    id: 'startup',
    group: 'Start-up',
    title: 'start-up of the command',
    unit: 'ms',
    better: 'lower',
    cells,
    limit: 'reading modules',
  }
}

async function timed(what: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await what()
  return performance.now() - start
}

/** From the start of the process until its worker has registered. */
async function untilReady({ server }: Bench, cli: string): Promise<number> {
  await server.clear()
  const settings = join(import.meta.dirname, '..', 'peers', 'settings.js')
  const start = performance.now()
  const child = spawn(process.execPath, [cli, 'worker', settings, '--redis', server.url, '--workers', '1', '--quiet'], {
    stdio: 'ignore',
  })
  try {
    while ((await server.client.zcard('arq:workers')) === 0) {
      if (child.exitCode !== null || performance.now() - start > 20_000) throw new Error('the worker did not start')
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    return performance.now() - start
  } finally {
    child.kill('SIGKILL')
  }
}
