import { fileURLToPath } from 'node:url'
import { Child, CuttingProxy, takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import { expect, test } from 'vitest'
import { Client, createLogger, flow } from '../../src/index.ts'
import { luaShas } from '../../src/redis/scripts.generated.ts'

const script = fileURLToPath(new URL('fixtures/spreading-worker.mjs', import.meta.url))
const starter = fileURLToPath(new URL('fixtures/flow-starter.mjs', import.meta.url))
/** More than two calls of flow-note.lua carry, and more than one call of flow-end.lua admits. */
const KIDS = 1_100

interface Scene {
  database: Database
  client: Client
  /** Address of the database by way of the proxy. */
  url: string
  /** Starts a program in Node. */
  spawn(...args: string[]): Child
  /** Resolves when a script is called over the proxy for the nth time; the call goes no further. */
  heldAt(name: keyof typeof luaShas, number: number): Promise<unknown>
}

/** Plays a scene on a database of its own, with a proxy before it, and leaves nothing of it. */
async function inScene(act: (scene: Scene) => Promise<void>): Promise<void> {
  const database = await takeDatabase()
  const proxy = await CuttingProxy.open(Number(new URL(database.url).port))
  const url = new URL(database.url)
  url.port = String(proxy.port)
  const client = new Client({ redis: database.url, logger: createLogger({ level: 'silent' }) })
  const children: Child[] = []
  const spawn = (...args: string[]) => {
    const child = new Child(process.execPath, args)
    children.push(child)
    return child
  }
  const heldAt: Scene['heldAt'] = (name, number) => {
    let seen = 0
    return proxy.holdAt((command) => command.includes(luaShas[name]) && ++seen === number)
  }
  try {
    await act({ database, client, url: url.href, spawn, heldAt })
  } finally {
    for (const child of children) child.kill()
    await Promise.all(children.map((child) => child.exited))
    await client.close()
    await proxy.close()
    await database.release()
  }
}

/** Calls at which the worker is killed before they reach Redis; true if the members that its run added still count. */
const points = [
  ['flowNote', 2, false],
  ['flowNote', 3, false],
  ['finish', 1, false],
  ['flowEnd', 1, true],
  ['flowEnd', 2, true],
] as const

test.concurrent.each(points)(
  'a worker killed before its %s %d leaves a flow in which members are added once, and start after who added them',
  (name, number, isCounted) =>
    inScene(async ({ database, client, url, spawn, heldAt }) => {
      const start = async (by: string) => {
        const child = spawn(script, by, database.url)
        await child.line(/^ready/)
        return child
      }
      const victim = await start(url)
      const reached = heldAt(name, number)
      const f = flow('kills', { onUnknown: 'fail' })
      f.call('last', [], { after: f.call('spread', [KIDS]) })
      const run = await client.start(f)
      await reached
      victim.kill('SIGKILL')
      await victim.exited
      await start(database.url)
      const count = isCounted ? KIDS : 2
      // One try added all members that ran; a slow machine may lose one more lease.
      const ran = (await run.result({ timeoutMs: 60_000 })) as Record<string, string>
      expect(Object.values(ran)).toEqual([String(count)])
      expect(Object.keys(ran).includes('of try 1')).toBe(isCounted)
      expect(await database.redis.lrange('ledger:early', 0, -1)).toEqual([])
      const fields = await database.redis.hkeys(`arq:flow:${run.flowId}`)
      expect(fields.filter((field) => /^[dscn]:/.test(field))).toEqual([])
      expect(await database.redis.hlen(`arq:flow-calls:${run.flowId}`)).toBe(count + 2)
    }),
  120_000,
)

/** More than one call of flow-place.lua hands out. */
const MEMBERS = 600

/** Calls at which the producer is killed before they reach Redis; true if the flow has begun by then. */
const starts = [
  ['flowTake', 1, false],
  ['flowStart', 1, false],
  ['flowPlace', 1, true],
  ['flowPlace', 2, true],
] as const

test.concurrent.each(starts)(
  'a producer killed before its %s %d leaves no flow, or one that workers bring to its end',
  (name, number, hasBegun) =>
    inScene(async ({ database, client, url, spawn, heldAt }) => {
      const reached = heldAt(name, number)
      const victim = spawn(starter, url, 'begun', String(MEMBERS))
      await reached
      victim.kill('SIGKILL')
      await victim.exited
      const { redis } = database
      if (!hasBegun) {
        // No worker sees any of it: what is written expires, and the list of flows is empty.
        expect([await redis.exists('arq:queue', 'arq:flow-watch', 'arq:flows'), await client.flows.list()]).toEqual([
          0,
          [],
        ])
        for (const key of await redis.keys('arq:flow*')) expect(await redis.pttl(key), key).toBeGreaterThan(0)
        return
      }
      await spawn(script, database.url, database.url).line(/^ready/)
      await client.flows.get('begun').result({ timeoutMs: 60_000 })
      expect(await redis.hgetall('ledger:kids')).toEqual({ 'of try first': '1', 'of try others': String(MEMBERS - 1) })
      expect(await redis.exists('arq:queue', 'arq:held', 'arq:flow-watch', 'arq:flow-open:begun')).toBe(0)
    }),
  120_000,
)
