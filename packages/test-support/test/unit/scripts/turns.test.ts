import { expect, test } from 'vitest'
import { importScript } from './scripts.ts'

interface Group {
  write(stream: 'stdout' | 'stderr', piece: string): void
  close(): void
}
const { Turns } = await importScript<{
  Turns: new (print: (stream: string, piece: string) => void) => { open(): Group; flush(): void }
}>('lib/turns.mjs')

function printed() {
  const pieces: string[] = []
  const turns = new Turns((stream, piece) => pieces.push(`${stream}: ${piece}`))
  return { pieces, turns }
}

test('prints the first group as it comes, and the next as a whole when the first is closed', () => {
  const { pieces, turns } = printed()
  const [tests, linter] = [turns.open(), turns.open()]
  tests.write('stdout', 'one')
  linter.write('stderr', 'no warnings')
  tests.write('stdout', 'two')
  expect(pieces).toEqual(['stdout: one', 'stdout: two'])
  tests.close()
  expect(pieces.at(-1)).toBe('stderr: no warnings')
  linter.write('stdout', 'done')
  expect(pieces).toEqual(['stdout: one', 'stdout: two', 'stderr: no warnings', 'stdout: done'])
})

test('prints groups that were closed meanwhile in the order in which they were opened', () => {
  const { pieces, turns } = printed()
  const [tests, types] = [turns.open(), turns.open()]
  types.write('stdout', 'types')
  types.close()
  const formatting = turns.open()
  formatting.write('stdout', 'formatting')
  formatting.close()
  const docs = turns.open()
  docs.write('stdout', 'docs begin')
  expect(pieces).toEqual([])
  tests.close()
  expect(pieces).toEqual(['stdout: types', 'stdout: formatting', 'stdout: docs begin'])
  docs.write('stdout', 'docs end')
  expect(pieces.at(-1)).toBe('stdout: docs end')
})

test('prints what every group has said, each as a whole, when the run ends early', () => {
  const { pieces, turns } = printed()
  const [tests, linter, docs] = [turns.open(), turns.open(), turns.open()]
  docs.write('stdout', 'docs')
  linter.write('stdout', 'linter')
  tests.write('stdout', 'tests')
  turns.flush()
  expect(pieces).toEqual(['stdout: tests', 'stdout: linter', 'stdout: docs'])
  tests.close()
  linter.close()
  expect(pieces).toHaveLength(3)
})
