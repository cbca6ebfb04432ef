import { fileURLToPath } from 'node:url'
import { startQdrant, whyNoQdrant } from '@arq-ts/qdrant/testing'
import { Child, takeDatabase } from '@arq-ts/testkit'
import { expect, test } from 'vitest'

const why = await whyNoQdrant()

test.skipIf(why !== undefined)(
  `the example prints what its page says${why ? ` (left out: ${why})` : ''}`,
  async () => {
    const database = await takeDatabase()
    const qdrant = await startQdrant()
    const script = fileURLToPath(new URL('../../../../examples/canary/main.mjs', import.meta.url))
    const child = new Child(process.execPath, [script], {
      env: { ...process.env, REDIS_URL: database.url, QDRANT_URL: qdrant.url },
    })
    const code = await child.exited
    // A stage holds until it has seen enough, which a slow machine may make it do.
    expect(child.lines.filter((line) => line !== '  holds')).toEqual([
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
    expect(code).toBe(0)
    await qdrant.stop()
    await database.release()
  },
  90_000,
)
