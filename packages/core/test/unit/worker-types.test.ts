import { describe, expect, expectTypeOf, test } from 'vitest'
import { cron, defineTask, Worker } from '../../src/index.ts'
import type { JobContext } from '../../src/index.ts'

interface Services {
  mail: { send(to: string): Promise<string> }
}
const services: Services = { mail: { send: async (to) => to } }

const welcome = defineTask({ name: 'welcome', handler: (ctx: JobContext<Services>, to: string) => ctx.mail.send(to) })
const nightly = cron('cron:nightly', '0 2 * * *', (ctx: JobContext<Services>) => ctx.mail.send('all'))
const plain = cron('cron:plain', { hour: 2 }, (ctx) => ctx.log.info('two o’clock'))

// Each is compiled and none is called: a worker connects at its construction.
describe('a worker compiles where it provides what its parts need of the context', () => {
  test('by what `onStartup` returns', () => {
    const make = () =>
      new Worker({
        tasks: [welcome],
        cron: [nightly, plain],
        onStartup: async () => services,
        onShutdown: (state) => state.mail.send('bye'),
        onJobStart: (ctx: JobContext<Services>) => ctx.mail.send('begun'),
        onJobEnd: (ctx) => ctx.mail.send(ctx.jobId),
        afterJobEnd: (ctx) => ctx.mail.send(ctx.jobId),
      })
    expectTypeOf<ReturnType<typeof make>>().toExtend<Worker<never, Services>>()
  })

  test('by `ctx`, or where nothing is needed', () => {
    const worker = () => new Worker({ cron: [nightly], ctx: services, onJobStart: (ctx) => ctx.mail.send('begun') })
    const none = () => new Worker({ cron: [plain], onJobStart: (ctx) => ctx.log.info(ctx.jobId) })
    expect([worker, none]).toHaveLength(2)
  })
})

describe('a worker does not compile', () => {
  test('with a cron job that needs more', () => {
    // @ts-expect-error - nothing provides `mail`
    const nothing = () => new Worker({ cron: [nightly] })
    // @ts-expect-error - `ctx` has another `mail`
    const another = () => new Worker({ cron: [nightly], ctx: { mail: 5 } })
    // @ts-expect-error - `onStartup` returns something else
    const other = () => new Worker({ tasks: [welcome], cron: [nightly], onStartup: () => ({ post: services.mail }) })
    expect([nothing, another, other]).toHaveLength(3)
  })

  test('with a hook that needs more', () => {
    const needy = (ctx: JobContext<Services>) => ctx.mail.send('all')
    // @ts-expect-error - nothing provides `mail`
    const start = () => new Worker({ cron: [plain], onJobStart: needy })
    // @ts-expect-error - nothing provides `mail`
    const end = () => new Worker({ cron: [plain], onJobEnd: needy })
    // @ts-expect-error - nothing provides `mail`
    const after = () => new Worker({ cron: [plain], afterJobEnd: needy })
    // @ts-expect-error - nothing provides `mail`
    const shutdown = () => new Worker({ cron: [plain], onShutdown: (state: Services) => state.mail.send('bye') })
    expect([start, end, after, shutdown]).toHaveLength(4)
  })
})
