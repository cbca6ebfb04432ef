import { fileURLToPath } from 'node:url'
import { Child, takeDatabase } from '@arq-ts/test-support'
import { describe, expect, test } from 'vitest'

const examples = fileURLToPath(new URL('../../../../examples/', import.meta.url))
const noPython = process.env.ARQ_TEST_NO_PYTHON

/** Output of each example, with the interpreter that it needs. */
const printed: [name: string, python: string, lines: string[]][] = [
  ['from-arq', '0.28.0', ['Python alone: Python', 'side by side, each once: 20', 'TypeScript alone: TypeScript']],
  ['from-celery', 'CELERY', ['by arq-ts: dan', 'by both, each once: ann bob cem dan']],
  [
    'python-values',
    '0.28.0',
    [
      'count bigint 1180591620717411303424',
      'price Decimal 9.90',
      'at DateTime 2026-03-29T02:30:00+02:00',
      'day PlainDate 2026-3-29',
      'wait TimeDelta 300000 ms',
      'id Uuid 6f1ed002-ab59-5b9c-8f1f-5c7a4b4e0f3a',
      'pair Tuple a 1',
      'tags Set new',
      'ordered OrderedDict b=1 a=2',
      'data Uint8Array 0 255',
      'invoice PyObject Invoice: number=7 total=12.50',
    ],
  ],
]

describe('the examples with a Python side', () => {
  test.skipIf(noPython).each(printed)('%s prints what its page says', async (name, python, lines) => {
    const database = await takeDatabase()
    const child = new Child(process.execPath, [`${examples}${name}/main.mjs`], {
      env: { ...process.env, REDIS_URL: database.url, PYTHON: process.env[`ARQ_TEST_PYTHON_${python}`] },
    })
    const code = await child.exited
    expect(child.lines).toEqual(lines)
    expect(code).toBe(0)
    await database.release()
  })
})
