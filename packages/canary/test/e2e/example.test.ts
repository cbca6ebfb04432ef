import { fileURLToPath } from 'node:url'
import { startQdrant, whyNoQdrant } from '@arq-ts/qdrant/testing'
import { Child, freePort, takeDatabase } from '@arq-ts/test-support'
import { expect, test } from 'vitest'

const why = await whyNoQdrant()
const script = fileURLToPath(new URL('../../../../examples/canary/main.mjs', import.meta.url))
/** Share, requests, errors, p95, and what was decided since the look before. */
const look = /^ +(\d+) % +\d+ requests +(?:–|\d+ %) errors +p95 (?:–|\d+ ms)(?: {3}(.+))?$/

/** The lines, with each look as its share and one line for each decision, without numbers that are never the same. */
function story(lines: readonly string[]): string[] {
  return lines.flatMap((line) => {
    const [, , decisions] = look.exec(line) ?? []
    if (!look.test(line)) return [line]
    // A stage holds until it has seen enough, which a slow machine may make it do.
    const shown = (decisions ?? '').split('; ').filter((decision) => decision !== '' && !decision.startsWith('holds'))
    return shown.map((decision) => `  ${decision.replace(/: \d.*/, '').replace(/error rate [\d.]+ %/, 'error rate')}`)
  })
}

test.skipIf(why !== undefined)(
  `the example prints what its page says${why ? ` (left out: ${why})` : ''}`,
  async () => {
    const database = await takeDatabase()
    const qdrant = await startQdrant()
    const child = new Child(process.execPath, [script], {
      env: { ...process.env, REDIS_URL: database.url, QDRANT_URL: qdrant.url },
    })
    const code = await child.exited
    expect(story(child.lines), child.lines.join('\n')).toEqual([
      'example-articles-v2 in front of example-articles',
      '  stage begins at 20 %',
      '  stage of 20 % passed',
      '  stage begins at 60 %',
      '  stage of 60 % passed',
      '  stage begins at 100 %',
      '  stage of 100 % passed',
      '  promote',
      '  completed',
      'example-articles → example-articles-v2',
      'example-articles-v3 in front of example-articles',
      '  stage begins at 20 %',
      '  roll back: error rate is above 5 %',
      '  rolled back',
      'example-articles → example-articles-v2',
    ])
    // It is a live view: looks between the decisions, each with the share of its time.
    const shares = child.lines.flatMap((line) => look.exec(line)?.[1] ?? [])
    expect(shares.length).toBeGreaterThan(8)
    expect(new Set(shares)).toEqual(new Set(['0', '20', '60', '100']))
    expect(code).toBe(0)
    await qdrant.stop()
    await database.release()
  },
  90_000,
)

test('the example says what it needs where that is missing', async () => {
  const env = { ...process.env, REDIS_URL: `redis://127.0.0.1:${await freePort()}`, QDRANT_URL: 'http://127.0.0.1:1' }
  const child = new Child(process.execPath, [script], { env })
  expect(await child.exited).toBe(1)
  expect(child.lines.at(-1)).toMatch(/^Redis at .* and Qdrant at .* have to run/)
})
