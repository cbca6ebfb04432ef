import { fileURLToPath } from 'node:url'
import { Child, takeDatabase } from '@arq-ts/testkit'
import { expect, test } from 'vitest'

test('the example prints what its page says', async () => {
  const database = await takeDatabase()
  const { POSTGRES_URL: _, ...env } = process.env
  const child = new Child(
    process.execPath,
    [fileURLToPath(new URL('../../../../examples/write-behind/main.mjs', import.meta.url))],
    {
      env: { ...env, REDIS_URL: database.url },
    },
  )
  expect(await child.exited).toBe(0)
  expect(child.lines).toEqual([
    'saving into files (POSTGRES_URL names no PostgreSQL)',
    'read back at once: {"views":400}',
    'saved page:about {"views":400}',
    'saved page:home {"views":400}',
    'saved page:prices {"views":400}',
    'twelve hundred writes, far fewer saves',
  ])
  await database.release()
})
