import fc from 'fast-check'
import { expect, test } from 'vitest'
import { newJobId } from '../../src/client/job-ids.ts'
import { OptionsError } from '../../src/errors.ts'
import { Placement } from '../../src/partitions/placement.ts'
import { keySlot } from '../../src/redis/key-kinds.ts'
import { merged } from '../../src/partitions/spread.ts'

test('slots equal those of Redis Cluster', () => {
  // From the specification of Redis Cluster, and from CLUSTER KEYSLOT.
  expect(['123456789', 'foo', 'bar', 'hello', '', 'größe'].map(keySlot)).toEqual([12_739, 12_182, 5_061, 866, 0, 9_425])
  expect(keySlot('{user1000}.following')).toBe(keySlot('user1000'))
  expect(keySlot('foo{}{bar}')).not.toBe(keySlot('bar'))
  expect(keySlot('foo{{bar}}zap')).toBe(keySlot('{bar'))
  expect(keySlot('foo{bar}{zap}')).toBe(keySlot('bar'))
})

test('the partition of an id never changes: stored keys depend on it', () => {
  const placement = new Placement('{orders}:', 6)
  const ids = [
    'invoice-1',
    'invoice-2',
    '{customer-7}:a',
    '{customer-7}:b',
    'cron:nightly:1700000000000',
    'cron:nightly',
  ]
  expect(ids.map((id) => placement.of(id))).toMatchInlineSnapshot(`
    [
      2,
      1,
      1,
      1,
      0,
      0,
    ]
  `)
  expect(placement.prefixes).toMatchInlineSnapshot(`
    [
      "{orders:0/6}:",
      "{orders:1/6.53}:",
      "{orders:2/6.40}:",
      "{orders:3/6.10}:",
      "{orders:4/6.10}:",
      "{orders:5/6.11}:",
    ]
  `)
})

test.each([1, 2, 3, 5, 6, 16, 100, 256])('%i partitions spread evenly over the nodes of a cluster', (partitions) => {
  const { prefixes } = new Placement('app:{orders}:', partitions)
  expect(new Set(prefixes).size).toBe(partitions)
  for (const nodes of [1, 2, 3, 6, 7]) {
    const counts = Array.from({ length: nodes }, () => 0)
    for (const prefix of prefixes) counts[Math.floor((keySlot(prefix) * nodes) / 16_384)]!++
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
  }
})

test('new ids spread evenly over all partitions', () => {
  const placement = new Placement('{orders}:', 6)
  const counts = Array.from({ length: 6 }, () => 0)
  for (let i = 0; i < 12_000; i++) counts[placement.of(newJobId())]!++
  // Six standard deviations of 2,000.
  for (const count of counts) expect(Math.abs(count - 2_000)).toBeLessThan(250)
})

test('an id drawn for a key lies in the partition of that key', () => {
  const placement = new Placement('{orders}:', 16)
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', '7', 'é', '{', '}', ':', '😀') }), (key) => {
      expect(placement.of(placement.drawWith(key, newJobId))).toBe(placement.of(key))
    }),
    { numRuns: 20 },
  )
})

test('ticks of one name lie together, and with nothing else', () => {
  const placement = new Placement('{orders}:', 64)
  const at = (id: string) => placement.of(id)
  expect(at('report:1700000000000')).toBe(at('report:1800000000123'))
  expect(at('report:1700000000000')).toBe(keySlot('report') % 64)
  for (const id of ['report:170000000000', 'report:170000000000x', 'report-1700000000000', ':1700000000000'])
    expect(at(id)).toBe(keySlot(id) % 64)
})

test.each(['', 'orders:', '{}:', '{a}{b}:', '{a', 'a}b{'])(
  'refuses to divide the namespace under the prefix %j, and says why',
  (prefix) => {
    expect(() => new Placement(prefix, 3)).toThrow(OptionsError)
    expect(() => new Placement(prefix, 3)).toThrow(/one hash tag.*Python's key names are fixed/s)
  },
)

test('merges ordered pages of several sources, each item once, and closes the sources early', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.array(fc.nat(50), { maxLength: 4 }), { maxLength: 4 }), { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 1, max: 5 }),
      async (sources, pageSize) => {
        const ordered = sources.map((pages) => pages.map((page) => page.map((n, i) => n + i)))
        const sorted = ordered.map((pages) => {
          const all = pages.flat().sort((a, b) => a - b)
          return pages.map((page) => all.splice(0, page.length))
        })
        let closed = 0
        const open = sorted.map(async function* (pages) {
          try {
            yield* pages
          } finally {
            closed++
          }
        })
        const pages = []
        for await (const page of merged(open, (a, b) => a - b, pageSize)) pages.push(page)
        expect(pages.flat()).toEqual(sorted.flat(2).sort((a, b) => a - b))
        expect(pages.slice(0, -1).every((page) => page.length === pageSize)).toBe(true)
        expect(closed).toBe(sources.length)
      },
    ),
    { numRuns: 100 },
  )
})
