import { Decimal, Tuple, Uuid } from '@arq-ts/core'
import type { CodecName } from '@arq-ts/core'
import type { Value } from './producers.ts'

/** Values that every codec carries, each as both languages write it. */
const common: Record<string, Value> = {
  none: { py: 'None', ts: null },
  booleans: { py: '[True, False]', ts: [true, false] },
  'small integers': { py: '[0, 1, -1, 127, 128, -129, 65535, 65536]', ts: [0, 1, -1, 127, 128, -129, 65535, 65536] },
  'integers beyond 32 bits': {
    py: '[5000000000, -5000000000, 2**53 - 1]',
    ts: [5_000_000_000, -5_000_000_000, 2 ** 53 - 1],
  },
  'integers of 64 bits': { py: '[2**63 - 1, -2**63]', ts: [2n ** 63n - 1n, -(2n ** 63n)] },
  floats: { py: '[0.5, -1.25e300, float("inf")]', ts: [0.5, -1.25e300, Infinity] },
  texts: { py: '["", "Grüße", "日本", "😀"]', ts: ['', 'Grüße', '日本', '😀'] },
  bytes: { py: 'b"\\x00\\xff"', ts: Uint8Array.of(0, 255) },
  nesting: { py: '{"a": [1, {"b": None}], "": {}}', ts: { a: [1, { b: null }], '': {} } },
}

const pickleOnly: Record<string, Value> = {
  'integers of any size': { py: '[2**200, -2**200]', ts: [2n ** 200n, -(2n ** 200n)] },
  tuples: { py: '(1, (2, 3), ())', ts: Tuple.from([1, Tuple.from([2, 3]), Tuple.from([])]) },
  sets: { py: '{1, 2}', ts: new Set([1, 2]) },
  'dicts with other keys': {
    py: '{1: "a", (2, 3): "b"}',
    ts: new Map<unknown, unknown>([
      [1, 'a'],
      [Tuple.from([2, 3]), 'b'],
    ]),
  },
  'aware datetimes': {
    py: 'datetime.datetime(2026, 11, 24, 1, 2, 3, 456000, datetime.timezone.utc)',
    ts: new Date('2026-11-24T01:02:03.456Z'),
  },
  decimals: { py: 'Decimal("1.10")', ts: new Decimal('1.10') },
  uuids: { py: 'UUID("12345678123456781234567812345678")', ts: new Uuid('12345678-1234-5678-1234-567812345678') },
}

export function valuesFor(codec: CodecName): [string, Value][] {
  return Object.entries(codec === 'pickle' ? { ...common, ...pickleOnly } : common)
}

/** A value that JSON writes the same way Python does. */
export function same(value: unknown): Value {
  return { py: toPython(value), ts: value }
}

function toPython(value: unknown): string {
  if (value === null) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (Array.isArray(value)) return `[${value.map(toPython).join(', ')}]`
  if (typeof value === 'object')
    return `{${Object.entries(value)
      .map(([key, item]) => `${JSON.stringify(key)}: ${toPython(item)}`)
      .join(', ')}}`
  return JSON.stringify(value)
}
