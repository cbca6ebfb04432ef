import { readFileSync } from 'node:fs'
import { Keys } from '@arq-ts/protocol'
import { expect, test } from 'vitest'

const page = readFileSync(new URL('../../../../docs/reference/wire-protocol.md', import.meta.url), 'utf8')
const keys = new Keys() as unknown as Record<string, string | ((of: string) => string)>

const names = [...Object.keys(keys), ...Object.getOwnPropertyNames(Keys.prototype)].filter(
  (name) => name !== 'prefix' && name !== 'constructor',
)

test.each(names)('the wire protocol page names the key or channel `%s`', (name) => {
  const key = keys[name] as string | ((of: string) => string)
  const all = typeof key === 'string' ? [key] : ['<queue>', '<id>', '<name>'].map((of) => key.call(keys, of))
  const written = all.map((text) => text.replace('@0', '@<db>'))
  const told = written.filter((text) => page.includes(`\`${text}\``) || (name === 'queue' && page.includes(text)))
  expect(told, written.join(' or ')).not.toEqual([])
})
