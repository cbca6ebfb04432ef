import { fileURLToPath } from 'node:url'
import { Child, takeDatabase } from '@arq-ts/test-support'
import { expect, test } from 'vitest'
import { startPostgres, whyNoPostgres } from '../support/postgres.ts'

const script = fileURLToPath(new URL('../../../../examples/write-behind/main.mjs', import.meta.url))
const why = whyNoPostgres()

async function run(postgresUrl?: string): Promise<readonly string[]> {
  const database = await takeDatabase()
  const { POSTGRES_URL: _, ...env } = process.env
  const child = new Child(process.execPath, [script], {
    env: { ...env, REDIS_URL: database.url, ...(postgresUrl === undefined ? {} : { POSTGRES_URL: postgresUrl }) },
  })
  expect(await child.exited, child.lines.join('\n')).toBe(0)
  await database.release()
  return child.lines
}

const lines = [
  'read back at once: {"views":400}',
  'saved page:about {"views":400}',
  'saved page:home {"views":400}',
  'saved page:prices {"views":400}',
  'twelve hundred writes, far fewer saves',
]

test('the example prints what its page says', async () => {
  expect(await run()).toEqual(['saving into files (POSTGRES_URL names no PostgreSQL)', ...lines])
})

test.skipIf(why)(
  `the example saves into PostgreSQL${why ? ` (left out: ${why})` : ''}`,
  async () => {
    const postgres = await startPostgres()
    try {
      expect(await run(postgres.url)).toEqual(['saving into PostgreSQL', ...lines])
    } finally {
      await postgres.stop()
    }
  },
  300_000,
)
