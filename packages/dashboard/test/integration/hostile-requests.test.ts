import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Dashboard } from '../../src/index.ts'
import { get, jsonOf, post, useHarness } from '../support/harness.ts'

const bench = useHarness()

interface Documented {
  paths: Record<string, { get?: { parameters: { name: string; in: string }[] }; post?: object }>
}

/** Values that a number, a name, a cursor or a date is not, or is just so. */
const VALUES = [
  '',
  ' ',
  '0',
  '-1',
  '1e308',
  '-1e308',
  '9007199254740993',
  '8640000000000001',
  '1e-300',
  'NaN',
  'Infinity',
  'true',
  '[]',
  '{}',
  'null',
  '..',
  '\u0000',
  '\\xff',
  '\\x2e\\x2e',
  '\uFFFF',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'status:constructor',
  'older:9999999999999999999999d',
  '"',
  '0.{}',
  '0.eyJpbiI6InF1ZXVlIn0',
  '1-0',
  '18446744073709551615-18446744073709551615',
  '\r\nset-cookie: a=b',
  'x'.repeat(10_000),
]

/** Paths of the API, those aside that are streams. */
async function pathsOf(dashboard: Dashboard): Promise<Documented['paths']> {
  const { paths } = await jsonOf<Documented>(get(dashboard, '/api/openapi.json'))
  return Object.fromEntries(Object.entries(paths).filter(([path]) => !path.endsWith('/stream')))
}

async function fill(): Promise<void> {
  const client = bench.client()
  await client.enqueue('f', ['x'], { jobId: 'a', queueName: 'mail' })
  await client.enqueue('f', ['x'], { jobId: 'constructor', queueName: 'constructor', deferByMs: 60_000 })
  await client.schedules.put('hourly', { task: 'f', everyMs: 3_600_000, queueName: 'mail' })
  await client.limits.set('shared', { concurrency: 1 })
}

/** The request, its status and its body, where the status says that the server has failed. */
async function failure(address: string, answer: Promise<Response>): Promise<string> {
  const response = await answer
  const text = await response.text()
  // 501: a part that this dashboard was started without.
  return response.status !== 500 && response.status !== 503
    ? ''
    : `${address.slice(0, 300)}: ${response.status}: ${text.slice(0, 300)}`
}

test('no value in an address makes the server fail, whichever part of the API it is for', async () => {
  await fill()
  const dashboard = bench.dashboard()
  const failures = new Set<string>()
  let place = 0
  for (const [path, { get: read }] of Object.entries(await pathsOf(dashboard))) {
    if (!read) continue
    for (const parameter of read.parameters) {
      place++
      for (const [i, value] of VALUES.entries()) {
        // Each parameter gets others of them: the parts of the API read what they are given by the same means.
        if ((place + i) % 10 > 0 && !process.env.ARQ_TEST_MATRIX) continue
        const text = encodeURIComponent(value)
        const address =
          parameter.in === 'path'
            ? path.replace('{id}', text)
            : `${path.replace('{id}', 'a')}?${parameter.name}=${text}`
        failures.add(await failure(address, get(dashboard, address)))
      }
    }
    const all = read.parameters.map(({ name }) => `${name}=1e308&${name}=-1e308`).join('&')
    const address = `${path.replace('{id}', 'a')}?${all}&__proto__=1`
    failures.add(await failure(address, get(dashboard, address)))
  }
  failures.delete('')
  expect([...failures]).toEqual([])
}, 120_000)

test('no range of time makes the server fail, or read more than a chart has', async () => {
  const dashboard = bench.dashboard()
  const number = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer(),
    fc.constantFrom(0, -0, 1e308, -1e308, 5e-324),
  )
  const path = fc.constantFrom('series', 'heatmap', 'cron')
  await fc.assert(
    fc.asyncProperty(path, number, number, number, async (name, from, to, step) => {
      const address = `/api/${name}?from=${from}&to=${to}&step=${step}`
      expect(await failure(address, get(dashboard, address))).toBe('')
    }),
    { numRuns: 50 },
  )
})

test('no body makes the server fail, or changes the prototype of an object', async () => {
  await fill()
  const dashboard = bench.dashboard()
  const failures = new Set<string>()
  const deep = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`
  const bodies = [
    '{"__proto__":{"polluted":1}}',
    '{"constructor":{"prototype":{"polluted":1}}}',
    '{"functionName":"f","kwargs":{"__proto__":{"polluted":1},"constructor":1}}',
    '{"functionName":"f","args":[{"__proto__":{"polluted":1}}],"jobId":"__proto__","queueName":"__proto__"}',
    '{"action":"remove","q":"","jobIds":["__proto__","constructor"]}',
    '{"action":"constructor","q":""}',
    '{"action":"repair","check":"constructor","queueName":"__proto__"}',
    '{"queueName":"\\u0000","delayMs":1e308,"deferMs":1e308}',
    '{"task":"f","everyMs":5e-324,"queueName":"toString"}',
    '{"concurrency":1e308,"rate":{"__proto__":1}}',
    `{"functionName":"f","args":[${deep(5_000)}]}`,
    deep(20_000),
    `{"functionName":"${'x'.repeat(100_000)}"}`,
  ]
  for (const [path, { post: change }] of Object.entries(await pathsOf(dashboard))) {
    if (!change) continue
    for (const [i, body] of bodies.entries()) {
      const address = path.replace('{id}', ['a', '__proto__', '%5Cxff'][i % 3]!)
      failures.add(await failure(`${address} ${body.slice(0, 100)}`, post(dashboard, address, body)))
    }
  }
  failures.delete('')
  expect([...failures]).toEqual([])
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
}, 120_000)
