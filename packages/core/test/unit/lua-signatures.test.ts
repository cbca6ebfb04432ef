import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { refuseChanged, signatureOf, signaturesIn } from '../../scripts/lua-signatures.mjs'

const folder = new URL('../../src/redis/', import.meta.url)
const read = (file: string) => readFileSync(new URL(file, folder), 'utf8')
const files = readdirSync(new URL('lua/', folder))
const committed = signaturesIn(read('scripts.generated.ts'))

describe('the scripts in Lua', () => {
  test('have the keys and arguments that the generated module was made for', () => {
    expect(files.map((file) => signatureOf(file, read(`lua/${file}`)))).toEqual([...committed.values()])
  })

  test.each([...committed.keys()])('are refused where %s was overwritten by any other of them', (name) => {
    for (const [other, signature] of committed) {
      const replaced = new Map(committed).set(name, signature)
      const attempt = () => refuseChanged(committed, replaced, [])
      if (signature === committed.get(name)) expect(attempt, other).not.toThrow()
      else expect(attempt, other).toThrow(name)
    }
  })

  test('are accepted with other keys once they are named, and as new ones', () => {
    const changed = new Map(committed).set('reschedule', 'KEYS[1]').set('brandNew', 'KEYS[1]')
    expect(() => refuseChanged(committed, changed, [])).toThrow('--changed=reschedule')
    expect(() => refuseChanged(committed, changed, ['reschedule'])).not.toThrow()
  })

  test('name in their header each place that the code uses', () => {
    expect(() => signatureOf('x.lua', "-- KEYS[1] -> queue\nreturn redis.call('GET', KEYS[2])")).toThrow('KEYS[2]')
    expect(() => signatureOf('x.lua', 'return 1')).toThrow('the header must name')
  })
})
