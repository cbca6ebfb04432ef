import { afterEach, describe, expect, test } from 'vitest'
import { nouns, runCommand } from '../../src/cli.ts'
import { processIo } from '../../src/io.ts'
import { everyVerb } from '../support/grammar.ts'

/** Words of a refused call on standard error. */
async function refusalOf(words: readonly string[]): Promise<string> {
  let stderr = ''
  const io = { ...processIo, stdout: { write: () => {} }, stderr: { write: (text: string) => (stderr += text) } }
  expect(await runCommand(words, io)).toBe(2)
  return stderr
}

test('every verb is in the grammar that its first word chooses, which is built alone', () => {
  const names = nouns.flatMap((noun) => noun.names)
  expect(new Set(everyVerb().map((verb) => verb.split(' ')[0]))).toEqual(new Set(names))
  expect(names).toHaveLength(new Set(names).size)
})

describe('the command speaks English whatever the locale of the machine:', () => {
  const before = process.env['LC_ALL']
  afterEach(() => {
    if (before === undefined) delete process.env['LC_ALL']
    else process.env['LC_ALL'] = before
  })

  test.each([
    [['queue', 'ls', '--dep'], 'arq-ts: unknown: --dep (did you mean --deep?)'],
    [['queue', 'purge'], 'arq-ts: missing argument; usage: arq-ts queue purge <name>'],
    [['quue'], 'arq-ts: unknown: quue (did you mean queue?)'],
    [['job'], 'Options:'],
    [['queue', 'ls', '--redis'], 'Not enough arguments following: redis'],
  ])('%j', async (words, message) => {
    process.env['LC_ALL'] = 'de_DE.UTF-8'
    expect(await refusalOf(words)).toContain(message)
  })
})
