import { describe, expect, test } from 'vitest'
import { readToml, readYaml } from '../../src/config/files.ts'
import { useConfigs } from './config-harness.ts'

const { load, problems } = useConfigs()

const yaml = `task_queue:
  max_jobs: 3
  queues:
    - high
    - { name: low,
        wieght: 2 }
    - name: third
      weight: 0
  tasks:
    - ./a.js
    -
      use: ./b.js
      wiht: {}
`
const toml = `[task_queue]
max_jobs = 3
queues = [
  "high", # first
  { name = "low", wieght = 2 },
  # then
  { name = "third",
    weight = 0 },
]
[[task_queue.tasks]]
use = "./a.js"
[[task_queue.tasks]]
use = "./b.js"
wiht = {}
`
const json = `{ "task_queue": {
  "queues": ["high",
    { "name": "low", "wieght": 2 },
    { "name": "third",
      "weight": 0 }],
  "tasks": ["./a.js", {
    "use": "./b.js",
    "wiht": {} }] } }
`

describe('a fault within a list is reported with its own line, and the likely name', () => {
  test.each([
    ['yaml', yaml, [6, 8, 13]],
    ['toml', toml, [5, 8, 14]],
    ['json', json, [3, 5, 8]],
  ] as const)('%s', (kind, text, [wieght, weight, wiht]) => {
    expect(problems({ [kind]: text })).toEqual([
      `arq-ts.${kind}:${wieght}: Unknown option \`queues.1.wieght\`, did you mean \`weight\`?`,
      `arq-ts.${kind}:${weight}: Expected \`queues.2.weight\` to be more than 0, got \`0\``,
      `arq-ts.${kind}:${wiht}: Unknown option \`tasks.1.wiht\`, did you mean \`with\`?`,
    ])
  })

  test('an item of no type that could be, too', () => {
    expect(problems({ yaml: 'task_queue:\n  queues:\n    - a\n    - 3\n' })).toEqual([
      'arq-ts.yaml:4: Expected `queues.1` to be a string or an object, got `3`',
    ])
  })

  test('a missing value is reported with the line of its map', () => {
    expect(problems({ yaml: 'task_queue:\n  max_jobs: 1\n  sentinel:\n    nodes: [a]\n' })).toEqual([
      'arq-ts.yaml:3: Expected `sentinel.name` to be a string, got `undefined`',
    ])
  })

  test('a value from a merged map is reported with its line there', () => {
    const text = 'a: &a\n  max_jobs: 0\nb: &b\n  max_tries: 0\ntask_queue:\n  <<: [*a, *b]\n'
    expect(problems({ yaml: text })).toEqual([
      'arq-ts.yaml:2: Expected `max_jobs` to be at least 1, got `0`',
      'arq-ts.yaml:4: Expected `max_tries` to be at least 1, got `0`',
    ])
  })
})

describe('flags are called as the command has them', () => {
  test.each([
    ['worker_pool_size', 0, '--workers: Expected `worker_pool_size` to be at least 1, got `0`'],
    ['queue_name', '', '--queue: Expected `queue_name` to be not empty, got `""`'],
    ['queues', [{ name: 'a', weight: 0 }], '--queue: Expected `queues.0.weight` to be more than 0, got `0`'],
    ['max_jobs', 0, '--max-jobs: Expected `max_jobs` to be at least 1, got `0`'],
  ])('%s', (key, value, problem) => {
    expect(problems({ flags: { [key]: value } })).toEqual([problem])
  })
})

test('a loaded configuration names the place of each part', () => {
  const { placeOf } = load({ yaml: 'task_queue:\n  tasks:\n    - a\n    - b\n', flags: { max_jobs: 2 } })
  expect(placeOf(['tasks', 1])).toMatch(/arq-ts\.yaml:4$/)
  expect(placeOf(['max_jobs'])).toBe('--max-jobs')
  expect(placeOf(['max_tries'])).toBeUndefined()
})

describe('lines of TOML', () => {
  test.each([
    ['a dotted key', 'x = 1\ntask_queue.max_jobs = 0\n', ['task_queue', 'max_jobs'], 2],
    ['a dotted key with spaces', 'a . "b c" . d = 1\n', ['a', 'b c', 'd'], 1],
    ['a quoted key with a dot', '[a]\n"b.c" = 1\n', ['a', 'b.c'], 2],
    ['an escaped key', '[a]\n"b\\u0063" = 1\n', ['a', 'bc'], 2],
    ['a literal key', "[a.'b\"c']\nd = 1\n", ['a', 'b"c', 'd'], 2],
    ['a key after strings of several lines', 'a = """\n[b]\nc = 1 \\"""\n"""\nb = \'\'\'\n c\'\'\'\nc = 1\n', ['c'], 7],
    ['a key after brackets in strings', 'a = ["]", \'}\', { b = "# }" }] # ]\nc = 1\n', ['c'], 2],
    ['a key after a date', 'a = 1979-05-27 07:32:00 # x = 1\nb = [2020-01-01 00:00:00, 1]\nc = 1\n', ['c'], 3],
    ['a table below an array of tables', '[[a]]\n[[a]]\n[a.b]\nc = 1\n', ['a', 1, 'b', 'c'], 4],
    ['an array of tables in one', '[[a]]\n[[a.b]]\n[[a.b]]\nc = 1\n[[a]]\n[[a.b]]\nc = 2\n', ['a', 0, 'b', 1, 'c'], 4],
    ['an array in an array', 'a = [\n [1,\n  2],\n [3,],\n]\n', ['a', 0, 1], 3],
    ['lines that end as on Windows', '[a]\r\n# x\r\nb = 1\r\nc = 2\r\n', ['a', 'c'], 4],
    ['an empty document', '', ['a'], 1],
    ['the nearest above what is not there', '[a]\n[b]\nc = 1\n', ['b', 'd', 'e'], 2],
  ])('%s', (_, text, path, line) => {
    expect(readToml('x.toml', text).lineOf(path)).toBe(line)
  })

  test('are found for a long document in a moment', () => {
    const text = `[a]\n${Array.from({ length: 20_000 }, (_, i) => `k${i} = ["${'x'.repeat(20)}", { y = ${i} }]`).join('\n')}`
    expect(readToml('x.toml', text).lineOf(['a', 'k19999', 1, 'y'])).toBe(20_001)
  })
})

describe('lines of YAML', () => {
  test.each([
    ['a key that is a number', 'a:\n  1: x\n', ['a', 1], 2],
    ['a key below an alias', 'a: &a\n  b: 1\nc: *a\n', ['c', 'b'], 2],
    ['an empty document', '', ['a'], 1],
    ['the nearest above what is not there', 'a:\n  b: 1\n', ['a', 'c'], 1],
  ])('%s', (_, text, path, line) => {
    expect(readYaml('x.yaml', text, 'task_queue').lineOf(path)).toBe(line)
  })
})
