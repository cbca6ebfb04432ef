import { expect, test } from 'vitest'
import { loadPackage } from '../../src/load-package.ts'

test('a command whose package is not installed says which to install', async () => {
  const loading = loadPackage('@arq-ts/not-there', 'cache', undefined)
  await expect(loading).rejects.toMatchObject({
    message: 'arq-ts cache needs @arq-ts/not-there, which is not installed here: npm install @arq-ts/not-there',
    exitCode: 2,
  })
})

test('a package that is there is loaded', async () => {
  expect(await loadPackage<object>('@arq-ts/core', 'cache', undefined)).toHaveProperty('Client')
})
