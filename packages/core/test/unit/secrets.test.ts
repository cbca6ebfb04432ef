import { cpuMsOf } from '@arq-ts/test-support'
import { describe, expect, test } from 'vitest'
import { maskSetting } from '../../src/config/index.ts'
import { Client } from '../../src/index.ts'
import { isSecretName, maskSecrets } from '../../src/logging/secrets.ts'
import { useConfigs } from './config-harness.ts'

const { problems } = useConfigs()

const secretNames = `
  redis_password sentinel.password passwd pwd pass dbPass passphrase password1 secretAccessKey client_secret
  token accessToken auth basic_auth Authorization credentials creds apiKey api-key apikey private_key PRIVATE_KEY
  key jwt cookie`
const plainNames = `
  redis_url key_prefix key_file password_file token_url secretName accessKeyId author healthCheckKey tasks name use
  with persisters compression monkey`

describe('a setting is secret by its name', () => {
  test.each(secretNames.trim().split(/\s+/))('%s', (name) => expect(isSecretName(name)).toBe(true))
  test.each(plainNames.trim().split(/\s+/))('except %s', (name) => expect(isSecretName(name)).toBe(false))
})

describe('on a screen hide', () => {
  test.each([
    ['redis_password', 'hunter2'],
    ['redis_password', 12345],
    ['redis_url', 'redis://u:hunter2@db'],
    ['redis_url', 'redis//:hunter2@db'],
    ['redis_url', 'redis://u:a@hunter2@db'],
    ['redis_url', 'redis://hunter2@db'],
    ['redis_url', 'redis://u:hunter2'],
    ['redis_url', 'redis://:hunter2/1'],
    ['with', { url: 'http://q:6333/?a=1&token=hunter2&key=hunter2' }],
    ['with', { url: 'postgres://db/x?sslpassword=hunter2' }],
    ['with', { dsn: 'host=db user=me password=hunter2' }],
    ['with', { connection: 'Server=db;Password="hunter2 x";Database=y' }],
    ['with', { connection: 'me:hunter2@db/x' }],
    ['with', { headers: ['Authorization: Bearer hunter2'] }],
    ['with', { deep: [{ secretAccessKey: 'hunter2', credentials: { user: 'hunter2' } }] }],
    ['with', { text: '{"apiKey": "hunter2", "passphrase": \'hunter2\'}' }],
  ])('%s: %j', (name, value) => {
    const shown = JSON.stringify(maskSetting(name, value))
    expect(shown).not.toMatch(/hunter2|12345/)
    expect(shown).toContain('***')
  })

  test.each([
    ['redis_url', 'redis://localhost:6379/1'],
    ['redis_url', 'redis://[::1]:7000'],
    ['redis_url', 'unix:///run/redis.sock'],
    ['key_prefix', '{orders}:'],
    ['sentinel.nodes', ['a:26379', 'b']],
    [
      'tasks',
      [{ use: '@arq-ts/qdrant', with: { url: 'http://qdrant:6333', persisters: { 'app.db': './persisters.js' } } }],
    ],
    ['job_timeout', 3600],
    ['redis_username', undefined],
  ])('nothing of %s: %j', (name, value) => expect(maskSetting(name, value)).toEqual(value))

  test('the password of an address, and show the rest', () => {
    expect(maskSetting('redis_url', 'redis://app:hunter2@db:7000/3')).toBe('redis://app:***@db:7000/3')
    expect(maskSetting('tasks', [{ with: { url: 'http://q/?token=x&size=3' } }])).toEqual([
      { with: { url: 'http://q/?token=***&size=3' } },
    ])
  })
})

describe('a fault is reported without the secret', () => {
  test.each([
    [
      { yaml: 'task_queue:\n  redis_password: 12345\n' },
      'arq-ts.yaml:2: Expected `redis_password` to be a string, got a number that is not shown; put it in quotes',
    ],
    [
      { toml: '[task_queue.sentinel]\nname = "a"\nnodes = ["b"]\npassword = 12345\n' },
      'arq-ts.toml:4: Expected `sentinel.password` to be a string, got a number that is not shown; put it in quotes',
    ],
    [
      { yaml: 'task_queue:\n  redis_password: [hunter2]\n' },
      'arq-ts.yaml:2: Expected `redis_password` to be a string, got an array that is not shown',
    ],
    [
      { flags: { redis_url: 'redis//:hunter2@h' } },
      '--redis: Expected `redis_url` to be a URL such as redis://localhost:6379, rediss://… or unix:///path, got `"***@h"`',
    ],
    [
      { env: { ARQ_TS_TASK_QUEUE__REDIS_URL: 'http://u:hunter2@db' } },
      'ARQ_TS_TASK_QUEUE__REDIS_URL: Expected `redis_url` to be a URL such as redis://localhost:6379, rediss://… or unix:///path, got `"http://u:***@db"`',
    ],
    [
      { env: { ARQ_TS_TASK_QUEUE__TASKS: '[{"apiKey": "hunter2", ]' } },
      'ARQ_TS_TASK_QUEUE__TASKS: Expected `tasks` to be an array, got `"[{\\"apiKey\\": ***, ]"`',
    ],
  ])('%j', (source, problem) => expect(problems(source)).toEqual([problem]))

  test('in code as well', () => {
    expect(() => new Client({ redis: 'http://u:hunter2@h' })).toThrow(/got `"http:\/\/u:\*\*\*@h"`/)
  })
})

test.each([
  ['http://q/?api_key=hunter2&size=3', 'http://q/?api_key=***&size=3'],
  ['GET /x?a=1&access_token=hunter2 took 3 ms', 'GET /x?a=1&access_token=*** took 3 ms'],
  ['{"url":"http://q/?sig=hunter2","key":"a=b"}', '{"url":"http://q/?sig=***","key":"a=b"}'],
])('of a log line, the queries of its URLs are hidden: %s', (text, masked) => {
  expect(maskSecrets(text)).toBe(masked)
})

test('a hostile text is read in one pass: a quadratic one would take minutes', () => {
  for (const text of [
    'a='.repeat(50_000),
    '?a'.repeat(100_000),
    '"'.repeat(100_000),
    `password=${'"'.repeat(100_000)}`,
    'token'.repeat(50_000),
  ])
    expect(cpuMsOf(() => maskSecrets(JSON.stringify(maskSetting('text', text)) + text))).toBeLessThan(5_000)
})
