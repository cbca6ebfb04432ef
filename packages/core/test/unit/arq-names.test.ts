import { readFileSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import { Client, cron, defineTask, Retry, Worker } from '../../src/index.ts'
import { ARQ_PARAMETERS } from '../../src/options/arq-names.ts'
import { checkEnqueueOptions } from '../../src/options/enqueue.ts'
import { checkOptions } from '../../src/options/check.ts'
import { enqueueSchema } from '../../src/options/enqueue.ts'
import { workerSchema } from '../../src/options/worker.ts'

const client = new Client({ redis: { port: 1 }, logLevel: 'silent' })
afterAll(() => client.close())

const task = defineTask({ name: 'f', handler: () => 1 })
/** The call of ours that takes the options of each callable of arq. */
const calls: Record<keyof typeof ARQ_PARAMETERS, (options: object) => unknown> = {
  Worker: (options) => new Worker({ tasks: [task], ...options }),
  create_pool: (options) => new Client(options),
  RedisSettings: (redis) => new Client({ redis }),
  enqueue_job: (options) => checkEnqueueOptions(options),
  func: (options) => defineTask({ name: 'f', handler: () => 1, ...options }),
  cron: (options) => cron('cron:f', '0 2 * * *', () => 1, options),
  Retry: (options) => new Retry(options),
  Job: (options) => client.job('x', options),
  'Job.result': (options) => client.job('x').result(options),
  'Job.abort': (options) => client.job('x').abort(options),
}

const rows = Object.entries(ARQ_PARAMETERS).flatMap(([callable, parameters]) =>
  Object.entries(parameters).map(([arq, ours]) => [callable as keyof typeof calls, arq, ours as unknown] as const),
)

async function refusalOf(call: () => unknown): Promise<unknown> {
  try {
    return await call()
  } catch (error) {
    return error
  }
}

describe("a name of arq is refused with ours, or with the reason that there is none: arq's", () => {
  const renamed = rows.filter(([, arq, ours]) => arq !== ours)
  test.each(renamed)('%s, %s', async (callable, arq, ours) => {
    const expected = typeof ours === 'string' ? `\`${ours}\`` : (ours as { gone: string }).gone
    expect(await refusalOf(() => calls[callable]({ [arq]: 5 }))).toMatchObject({
      code: 'ARQ_INVALID_OPTIONS',
      message: expect.stringContaining(expected) as string,
    })
  })

  test('is no reason for an option that arq has elsewhere', () => {
    expect(() => checkOptions('enqueue', enqueueSchema, { retry: 5 })).toThrow(/Unknown option `retry`$/)
    expect(() => checkOptions('Worker', workerSchema, { pole_delay: 5 })).toThrow('did you mean `pollDelayMs`')
  })

  test('may come without its underscore, or in the case of ours', () => {
    expect(() => checkEnqueueOptions({ defer_by: 5 } as never)).toThrow('did you mean `deferByMs` (in milliseconds)?')
    expect(() => checkEnqueueOptions({ jobid: 'x' } as never)).toThrow('did you mean `jobId`?')
    expect(() => checkEnqueueOptions({ _deferUntil: 5 } as never)).toThrow('did you mean `deferUntil`?')
  })
})

test('the reference page lists every parameter of arq, with ours', () => {
  const page = readFileSync(new URL('../../../../docs/reference/arq-names.md', import.meta.url), 'utf8')
  for (const [callable, arq, ours] of rows) {
    const [, section = ''] = page.split(`## \`${callable}\`\n`)
    const [row] = section
      .split('\n## ')[0]!
      .split('\n')
      .filter((line) => line.startsWith(`| \`${arq}\` |`))
    expect(row, `${callable}: ${arq}`).toContain(
      typeof ours === 'string' ? `\`${ours}\`` : (ours as { gone: string }).gone,
    )
  }
})
