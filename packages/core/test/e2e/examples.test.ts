import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Child, takeDatabase } from '@arq-ts/test-support'
import { describe, expect, test } from 'vitest'

const examples = fileURLToPath(new URL('../../../../examples/', import.meta.url))

/** Output of each example: read by people first, so all of it is asserted. */
const printed: Record<string, string[]> = {
  'getting-started': [
    'queued ',
    'queued ',
    'duplicate ',
    'failed resize_image() got wrong arguments: `path`: Invalid input: expected string, received number',
    'complete a.png at 800 px',
    'complete b.png at 640 px',
  ],
  'retries-and-dead-letters': [
    'try 1',
    'try 2',
    'try 3',
    'failed: RuntimeError: the bank is down',
    'dead letter: charge_card(12) – Error: the bank is down',
    'try 1',
    'charged 12',
  ],
  chunks: ['one call for 10 documents', 'characters: 3 3 5 – 4 3 5 5 4 3', 'RuntimeError: document 3 is empty'],
  middleware: [
    'welcome of request-1: asked for a mail as request-1: true',
    'send_mail of request-1: mailed ann@example.org',
    'send_mail of request-2 failed: no address: nobody',
    'send_mail: deferred by more than a day',
  ],
  flows: [
    'alert: the report failed',
    'fetch_part#3: RuntimeError: no answer from c',
    'fetch_part success',
    'fetch_part#2 success',
    'fetch_part#3 failure',
    'merge blocked',
    'mail blocked',
    'alert success',
    'mailed A+B+C',
  ],
  sandbox: ['9592 primes below 100,000', 'TimeoutError: the job ran longer than its timeout of 5000 ms'],
  schedules: [
    'digest:42 runs send_digest every 1000 ms',
    'each tick ran once',
    'digest for user 42',
    'paused: true',
    'removed: true',
  ],
  streaming: ['event: chunk "Hello,"', 'event: chunk " world"', 'event: end "complete"'],
  cron: ['tick 1', 'tick 2', 'each tick ran once'],
  fastify: [
    '202',
    "{ status: 'complete', result: 'a.png at 800 px' }",
    '400 resize_image() got wrong arguments: `path`: Invalid input: expected string, received number',
  ],
  nextjs: [
    '202',
    "200 { status: 'queued' }",
    '400 {',
    "  error: 'resize_image() got wrong arguments: `path`: Invalid input: expected string, received number'",
    '}',
  ],
  lambda: [
    'one file of less than 2 MB',
    `{ statusCode: 202, body: '{"jobId":"request-1","isNew":true}' }`,
    `{ statusCode: 200, body: '{"jobId":"request-1","isNew":false}' }`,
  ],
  'from-bullmq': ['ann bob cem dan'],
  'dependency-injection': ['opened', 'closed', 'to ann@example.org: Welcome!', 'to test@example.org: Welcome!'],
  nestjs: ['to ann: Welcome!', 'stopped'],
  limits: [
    'acme: never more than 2 at a time: true',
    'globex: never more than 2 at a time: true',
    'five calls spread over 200 ms or more: true',
    'acme waits, globex ran: deferred',
    'acme ran',
  ],
  uniqueness: [
    'reject: true null',
    'ran revision 1',
    'again: 3',
    'replace: the same job true',
    'ran revision 5',
    'debounce: 8',
    'throttle: 10',
  ],
  testing: ['node:test: 4 passed', 'vitest: 4 passed', 'jest: 4 passed'],
  aborting: ['deferred job: deferred → aborted: true', 'running job: in_progress → aborted: true', 'ARQ_JOB_ABORTED'],
}

describe('the examples', () => {
  test.each(Object.keys(printed))('%s prints what its page says', async (name) => {
    const database = await takeDatabase()
    const child = new Child(process.execPath, [`${examples}${name}/main.mjs`], {
      env: { ...process.env, REDIS_URL: database.url },
    })
    const code = await child.exited
    expect(child.lines).toEqual(printed[name])
    expect(code).toBe(0)
    await database.release()
  })

  /** Examples that need more than a Redis, by the package whose tests run them. */
  const elsewhere = { canary: 'canary', 'delayed-deletion': 'qdrant', 'write-behind': 'write-behind' }
  const withPython = ['from-arq', 'from-celery', 'python-values']
  const byStart = ['mixed-fleet', 'three-tasks']
  const byPackageCheck = ['typescript']

  test('all run: here, in the tests of a package, by npm start, or in the check of the packed packages', () => {
    const folders = readdirSync(examples, { withFileTypes: true }).filter(
      (entry) => entry.isDirectory() && entry.name !== 'node_modules',
    )
    const run = [...Object.keys(printed), ...Object.keys(elsewhere), ...withPython, ...byStart, ...byPackageCheck]
    expect(folders.map((entry) => entry.name).sort()).toEqual(run.sort())
    for (const name of Object.values(elsewhere))
      expect(existsSync(`${examples}../packages/${name}/test/e2e/example.test.ts`)).toBe(true)
  })
})
