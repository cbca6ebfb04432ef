import { fileURLToPath } from 'node:url'
import { Child } from '@arq-ts/test-support'
import { describe, expect, test } from 'vitest'
import { noQdrant, useHarness } from '../support/harness.ts'

describe.skipIf(noQdrant !== undefined)('the example of a delayed deletion', () => {
  const bench = useHarness()

  test('prints what its page says, and leaves nothing behind', async () => {
    const example = fileURLToPath(new URL('../../../../examples/delayed-deletion/main.mjs', import.meta.url))
    const env = { ...process.env, REDIS_URL: bench.database().url, QDRANT_URL: bench.qdrant().url }
    const child = new Child(process.execPath, [example], { env })
    const code = await child.exited
    expect(child.lines).toEqual([
      'example-search → example-green',
      'deletion of example-blue in an hour: deferred',
      'example-search → example-blue, deletion aborted: true',
      'example-red: skipped collection_has_aliases',
      'example-green: success',
      'example-green is gone',
    ])
    expect(code).toBe(0)
    expect((await bench.qdrant().client.getCollections()).collections).not.toContainEqual(
      expect.objectContaining({ name: expect.stringMatching(/^example-/) }),
    )
  })
})
