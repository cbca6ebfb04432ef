import { fileURLToPath } from 'node:url'
import { ARQ_VERSIONS, Child } from '@arq-ts/test-support'
import { describe, expect, test } from 'vitest'
import { AliasManager, deleteCollectionTask } from '../../src/index.ts'
import { noQdrant, useHarness } from '../support/harness.ts'

const leftOut = process.env.ARQ_TEST_NO_PYTHON ?? noQdrant

interface Call {
  args?: unknown[]
  kwargs?: Record<string, unknown>
  /** arq's own, with their underscores. */
  options?: Record<string, unknown>
}

interface Answer {
  result?: Record<string, unknown>
  types?: Record<string, string>
  error?: string
  message?: string
}

describe.skipIf(leftOut !== undefined).each(ARQ_VERSIONS)('a Python service with arq %s', (version) => {
  const bench = useHarness()

  function run(name: string): Child {
    const python = process.env[`ARQ_TEST_PYTHON_${version}`] as string
    const script = fileURLToPath(new URL(`${name}.py`, import.meta.url))
    return new Child(python, ['-u', script, bench.database().url], { stdin: true })
  }
  async function ask(...calls: Call[]): Promise<Answer[]> {
    const child = run('producer')
    for (const call of calls) child.write(JSON.stringify({ args: [], kwargs: {}, options: {}, ...call }))
    child.process.stdin?.end()
    await child.exited
    return child.lines.map((line) => JSON.parse(line) as Answer)
  }
  const work = () => bench.worker({ tasks: [deleteCollectionTask(bench.qdrant().client)] })

  test('enqueues by position, by keyword and mixed, and gets the same maps as from Python', async () => {
    const names = ['a', 'b', 'c', 'd']
    const [a, b, c, d] = (await Promise.all(names.map(bench.collection))) as [string, string, string, string]
    const e = await bench.collection('e')
    await bench.alias('live', e)
    await work()
    const answers = await ask(
      { args: [a, 0] },
      { kwargs: { collection_name: b, grace_period_minutes: 0 } },
      { args: [c], kwargs: { grace_period_minutes: 0 } },
      { kwargs: { collection_name: d, grace_period_minutes: 0.02 }, options: { _defer_by: 1.2 } },
      { args: [e, 0] },
      { args: [a, 0] },
    )
    const types = { collection: 'str', status: 'str', duration: 'float' }
    expect(answers.map(({ result }) => [result?.collection, result?.status, result?.reason])).toEqual([
      [a, 'success', undefined],
      [b, 'success', undefined],
      [c, 'success', undefined],
      [d, 'success', undefined],
      [e, 'skipped', 'collection_has_aliases'],
      [a, 'success', 'already_gone'],
    ])
    for (const answer of answers.slice(0, 4)) expect(answer.types).toEqual(types)
    for (const answer of answers.slice(4)) expect(answer.types).toEqual({ ...types, reason: 'str' })
  })

  test('gets a TypeError for arguments that do not fit', async () => {
    await work()
    expect(await ask({ args: [] }, { args: ['a b'] }, { kwargs: { collection_name: 'a', grace: 1 } })).toEqual([
      { error: 'TypeError', message: "delete_collection() missing 1 required argument: 'collection_name'" },
      { error: 'TypeError', message: expect.stringContaining('Expected 1 to 255 letters') },
      { error: 'TypeError', message: expect.stringContaining("unexpected keyword argument 'grace'") },
    ])
  })

  test('finds our deletions in its queue as its own would stand there', async () => {
    const collection = await bench.collection('old')
    const client = bench.client({ codec: 'pickle' })
    const aliases = new AliasManager({ qdrant: bench.qdrant().client, client })
    await aliases.safeDeleteCollection(collection)
    const child = run('queued')
    await child.exited
    expect(child.lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      ['delete_collection', [], { collection_name: collection, grace_period_minutes: 60 }, 60],
    ])
  })
})
