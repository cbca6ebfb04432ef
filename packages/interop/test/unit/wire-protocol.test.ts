import { readFileSync } from 'node:fs'
import { Keys } from '@arq-ts/protocol'
import { expect, test } from 'vitest'

const page = readFileSync(new URL('../../../../docs/reference/wire-protocol.md', import.meta.url), 'utf8')
/** Keys of a partition have what those of a namespace in one piece have, and channels of its own. */
class AllKeys extends Keys {
  override get endsChannel(): string {
    return 'arq:ended@0'
  }
}
const keys = new AllKeys() as unknown as Record<string, string | ((...of: string[]) => string)>

const names = [...Object.keys(keys), ...Object.getOwnPropertyNames(Keys.prototype)].filter(
  (name) => name !== 'prefix' && name !== 'constructor',
)

/** Words of the page for the parts of a name. */
const ARGUMENTS = [
  ['<queue>'],
  ['<id>'],
  ['<name>'],
  ['<worker>'],
  ['<second>'],
  ['<resolution>', '<series>', '<block>'],
  ['<resolution>', '<queue>', '<block>'],
]

test.each(names)('the wire protocol page names the key or channel `%s`', (name) => {
  const key = keys[name] as string | ((...of: string[]) => string)
  const all = typeof key === 'string' ? [key] : ARGUMENTS.map((of) => key.apply(keys, of))
  const written = all.map((text) => text.replace('@0', '@<db>'))
  const documented = written.filter((text) => page.includes(`\`${text}\``) || (name === 'queue' && page.includes(text)))
  expect(documented, written.join(' or ')).not.toEqual([])
})
