import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { importScript, scriptPath } from './scripts.ts'

const { plainWords } = await importScript<{ plainWords: (prose: string) => string[] }>('lint/words.mjs')
const root = scriptPath('..')
const filesIn = (folder: string, ending: string, recursive = false) =>
  readdirSync(join(root, folder), { recursive, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => join(folder, name))

const pages = [
  // Entries of past versions stay as they were published.
  ...filesIn('.', '.md').filter((page) => page !== 'CHANGELOG.md'),
  ...filesIn('docs', '.md', true),
  ...filesIn('packages/core/src/redis/lua', '.lua'),
  ...readdirSync(join(root, 'packages')).flatMap((name) => filesIn(join('packages', name), 'README.md')),
]

test.each(pages)('%s has none of the words that read as translated', (page) => {
  const lines = readFileSync(join(root, page), 'utf8').split('\n')
  const found = lines.flatMap((line, i) => plainWords(line).map((message) => `line ${i + 1}: ${message}`))
  expect(found).toEqual([])
})

// oxlint-disable words/plain -- samples of what the rule finds
test.each([
  ['a flow that mends by himself', 2],
  ['it goes on for as long as it runs', 2],
  ['stands out, and goes on the list', 0],
])('finds the words that read as translated: %j has %i', (prose, count) => {
  expect(plainWords(prose)).toHaveLength(count)
})
