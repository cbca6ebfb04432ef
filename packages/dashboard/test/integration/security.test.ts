import { Buffer } from 'node:buffer'
import { mkdtempSync, mkdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { idToBytes } from '@arq-ts/protocol/jobs'
import { describe, expect, test } from 'vitest'
import { basic, bearer, createDashboard, serveDashboard, trustedProxy } from '../../src/index.ts'
import { get, jsonOf, post, refusalOf, useHarness } from '../support/harness.ts'
import type { Bootstrap, JobPage, JobView } from '../../src/index.ts'

const bench = useHarness()
const TOKEN = 'a-token-of-some-length'
const SECRET = 'a-secret-of-some-length'
const ask = (path: string, headers: Record<string, string>, method = 'GET') =>
  bench.dashboard().fetch(new Request(path, { method, headers, ...(method === 'POST' ? { body: '{}' } : {}) }))

describe('the host', () => {
  test.each([
    'http://evil.example/api/queues',
    'http://127.0.0.1.evil.example/',
    'http://localhost.evil.example/api/jobs',
  ])('refuses %s, a name that may be rebound to this machine', async (url) =>
    expect(await refusalOf(ask(url, {}))).toEqual([403, 'host_not_allowed']),
  )

  test.each(['evil.example', 'localhost@evil.example', 'localhost, evil.example', 'evil.example:80', '[::2]'])(
    'refuses the header Host %j on a request to localhost',
    async (host) =>
      expect((await refusalOf(ask('http://localhost/api/queues', { host })))[0]).toBeGreaterThanOrEqual(400),
  )

  test.each([
    'http://localhost:8080/',
    'http://127.0.0.1/',
    'http://[::1]:1/',
    'http://LOCALHOST/',
    'http://board.localhost/',
  ])('answers on %s, which only this machine reaches', async (url) => expect((await ask(url, {})).status).toBe(200))

  test('cannot be widened without authentication, by option or by address', async () => {
    expect(() => createDashboard({ allowedHosts: ['queues.example'] })).toThrow(/needs authentication/)
    for (const host of ['0.0.0.0', '::', '192.168.1.4', 'queues.example']) {
      await expect(serveDashboard(bench.dashboard(), { host })).rejects.toMatchObject({ code: 'ARQ_INVALID_OPTIONS' })
    }
  })

  test('is checked against the given names even with authentication', async () => {
    const dashboard = bench.dashboard({ authenticate: () => ({ name: 'anna' }), allowedHosts: ['queues.example'] })
    const answer = (host: string) => dashboard.fetch(new Request(`http://${host}/api/bootstrap`))
    expect((await answer('queues.example')).status).toBe(200)
    expect((await answer('evil.example')).status).toBe(403)
  })
})

describe('a change', () => {
  const paths = ['/api/queues/mail/pause', '/api/jobs', '/api/plans', '/api/undo/x', '/api/jobs/a/remove']
  const good = { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin', origin: 'http://localhost' }
  const attempts: [string, Record<string, string>, string][] = [
    ['a form', { ...good, 'content-type': 'application/x-www-form-urlencoded' }, 'unsupported_media_type'],
    ['plain text', { ...good, 'content-type': 'text/plain' }, 'unsupported_media_type'],
    ['text that names JSON', { ...good, 'content-type': 'text/plain; application/json' }, 'unsupported_media_type'],
    ['no content type', { ...good, 'content-type': '' }, 'unsupported_media_type'],
    ['another site', { ...good, 'sec-fetch-site': 'cross-site' }, 'cross_origin'],
    ['a sibling host', { ...good, 'sec-fetch-site': 'same-site' }, 'cross_origin'],
    ['an address bar', { ...good, 'sec-fetch-site': 'none' }, 'cross_origin'],
    ['another origin', { ...good, origin: 'http://evil.example' }, 'cross_origin'],
    ['another port', { ...good, origin: 'http://localhost:1' }, 'cross_origin'],
    ['a sandboxed frame', { ...good, origin: 'null' }, 'cross_origin'],
    ['a file', { ...good, origin: 'file://localhost' }, 'cross_origin'],
    ['neither header', { 'content-type': 'application/json' }, 'cross_origin'],
  ]
  test.each(attempts)('is refused from %s', async (_, headers, code) => {
    for (const path of paths) {
      expect(await refusalOf(ask(`http://localhost${path}`, headers, 'POST'))).toEqual([expect.any(Number), code])
    }
    expect(await bench.database().redis.keys('*')).toEqual([])
  })

  test.each(['PUT', 'DELETE', 'PATCH', 'OPTIONS'])('is refused by the method %s', async (method) => {
    const request = new Request('http://localhost/api/jobs/a', { method, headers: good })
    expect(await refusalOf(bench.dashboard().fetch(request))).toEqual([405, 'method_not_allowed'])
  })

  test('is refused by GET, which a link could send', async () => {
    expect(await refusalOf(get(bench.dashboard(), '/api/queues/mail/pause'))).toEqual([405, 'method_not_allowed'])
  })

  test('is refused by a read-only dashboard, whoever asks', async () => {
    const dashboard = bench.dashboard({ readOnly: true, authorize: () => true })
    for (const path of paths) expect(await refusalOf(post(dashboard, path))).toEqual([403, 'read_only'])
    expect((await jsonOf<Bootstrap>(get(dashboard, '/api/bootstrap'))).actions).toEqual([])
  })

  test('is refused to a user who may only look', async () => {
    const dashboard = bench.dashboard({ authorize: (_, action) => action === 'view' })
    for (const path of ['/api/queues/mail/pause', '/api/jobs', '/api/jobs/a/remove']) {
      expect(await refusalOf(post(dashboard, path, { functionName: 'f' }))).toEqual([403, 'forbidden'])
    }
    expect(await bench.database().redis.keys('*')).toEqual([])
  })

  test('has a bounded body, whatever its length says', async () => {
    const large = JSON.stringify({ functionName: 'f', args: ['x'.repeat(300_000)] })
    expect(await refusalOf(post(bench.dashboard(), '/api/jobs', large))).toEqual([413, 'too_large'])
    expect(await refusalOf(post(bench.dashboard(), '/api/jobs', '[]'))).toEqual([400, 'invalid_request'])
    expect(await refusalOf(post(bench.dashboard(), '/api/jobs', '{'))).toEqual([400, 'invalid_request'])
  })
})

describe('a reader', () => {
  test('of another site gets nothing of the API', async () => {
    const answer = get(bench.dashboard(), '/api/jobs', { 'sec-fetch-site': 'cross-site' })
    expect(await refusalOf(answer)).toEqual([403, 'cross_origin'])
  })

  test('a user without the right to see a job does not see it', async () => {
    await bench.client().enqueue('f', ['x'], { jobId: 'secret' })
    const dashboard = bench.dashboard({ authorize: (_, __, { name }) => name !== 'secret' })
    await bench.client().enqueue('f', ['x'], { jobId: 'open' })
    const { jobs } = await jsonOf<JobPage>(get(dashboard, '/api/jobs'))
    expect(jobs.map(({ jobId }) => jobId)).toEqual(['open'])
    for (const part of ['', '/explain', '/history', '/logs']) {
      expect(await refusalOf(get(dashboard, `/api/jobs/secret${part}`))).toEqual([403, 'forbidden'])
    }
  })
})

describe('authentication', () => {
  const encoded = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`
  const ways = {
    bearer: bearer({ [TOKEN]: { name: 'anna', role: 'operator' } }),
    basic: basic({ anna: { password: 'p:w', role: 'operator' } }),
    'a trusted proxy': trustedProxy({ secret: SECRET, roleHeader: 'x-role' }),
  }
  const right: Record<keyof typeof ways, Record<string, string>> = {
    bearer: { authorization: `Bearer ${TOKEN}` },
    basic: { authorization: encoded('anna:p:w') },
    'a trusted proxy': { 'x-forwarded-user': 'anna', 'x-arq-ts-proxy-secret': SECRET, 'x-role': 'operator' },
  }
  const wrong: Record<keyof typeof ways, Record<string, string>[]> = {
    bearer: [
      {},
      { authorization: 'Bearer ' },
      { authorization: `Bearer ${TOKEN}x` },
      { authorization: encoded(`:${TOKEN}`) },
    ],
    basic: [
      {},
      { authorization: encoded('anna:p') },
      { authorization: encoded('bob:p:w') },
      { authorization: encoded('anna') },
      { authorization: 'Basic %%%' },
    ],
    'a trusted proxy': [
      {},
      { 'x-forwarded-user': 'anna' },
      { 'x-forwarded-user': 'anna', 'x-arq-ts-proxy-secret': '' },
      { 'x-forwarded-user': ' ', 'x-arq-ts-proxy-secret': SECRET },
    ],
  }
  for (const way of Object.keys(ways) as (keyof typeof ways)[]) {
    test(`by ${way} lets in who proves it, and nobody else, to pages and API alike`, async () => {
      const dashboard = bench.dashboard({ authenticate: ways[way] })
      const { user } = await jsonOf<Bootstrap>(get(dashboard, '/api/bootstrap', right[way]))
      expect(user).toEqual({ name: 'anna', role: 'operator' })
      for (const headers of wrong[way]) {
        for (const path of ['/', '/api/jobs', '/api/stream', '/assets/x.js', '/api/nothing']) {
          expect(await refusalOf(get(dashboard, path, headers))).toEqual([401, 'unauthenticated'])
        }
        expect(await refusalOf(post(dashboard, '/api/queues/q/pause', {}, headers))).toEqual([401, 'unauthenticated'])
      }
    })
  }

  test('refuses secrets that can be guessed', () => {
    expect(() => bearer({ short: { name: 'anna' } })).toThrow(/16 characters/)
    expect(() => basic({ anna: { password: '' } })).toThrow(/empty/)
    expect(() => trustedProxy({ secret: '' })).toThrow(/16 characters/)
  })

  test('by a function that returns no name lets nobody in', async () => {
    const dashboard = bench.dashboard({ authenticate: () => ({}) as never })
    expect(await refusalOf(get(dashboard, '/'))).toEqual([401, 'unauthenticated'])
  })
})

describe('every answer', () => {
  test('has the policy and the headers of safety, errors included', async () => {
    const dashboard = bench.dashboard()
    for (const path of ['/', '/jobs/x', '/api/queues', '/api/nothing', '/assets/none.js']) {
      const { headers } = await get(dashboard, path)
      expect(headers.get('content-security-policy')).toBe(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
      )
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('access-control-allow-origin')).toBeNull()
    }
  })

  test('has hostile job data as JSON alone, without a character that begins markup', async () => {
    const hostile = '</script><img src=x onerror=alert(1)>\u2028'
    await bench.client().enqueue(hostile, [hostile], { jobId: hostile, kwargs: { k: hostile }, queueName: hostile })
    const dashboard = bench.dashboard()
    const id = encodeURIComponent(hostile)
    for (const path of [
      '/api/jobs',
      `/api/jobs/${id}`,
      `/api/jobs/${id}/explain`,
      '/api/overview',
      '/api/functions',
      `/api/jobs/no${id}`,
    ]) {
      const response = await get(dashboard, path)
      expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8')
      expect(await response.text()).not.toMatch(/[<>\u2028]/)
    }
    const page = await jsonOf<JobPage>(get(dashboard, '/api/jobs'))
    expect(page.jobs[0]!.jobId).toBe(hostile)
  })

  test('has bounded values, however large the arguments are', async () => {
    await bench
      .client()
      .enqueue('f', ['x'.repeat(3_000_000), Array.from({ length: 100_000 }, (_, i) => i)], { jobId: 'big' })
    const response = await get(bench.dashboard(), '/api/jobs/big')
    const text = await response.text()
    expect(text.length).toBeLessThan(1_000_000)
    expect((JSON.parse(text) as JobView).args.cut).toBe(true)
  })
})

describe('redaction', () => {
  const redact = ({ value }: { value: unknown }) =>
    JSON.parse(JSON.stringify(value).replaceAll('hunter2', '***')) as unknown
  test('holds in lists, in details, and against a search for what it hides', async () => {
    await bench.client().enqueue('f', ['hunter2'], { jobId: 'a', kwargs: { password: 'hunter2' } })
    const dashboard = bench.dashboard({ redact })
    for (const path of ['/api/jobs', '/api/jobs/a', '/api/jobs/a/explain', '/api/jobs?q=***']) {
      expect(await (await get(dashboard, path)).text()).not.toContain('hunter2')
    }
    expect((await jsonOf<JobPage>(get(dashboard, '/api/jobs?q=hunter2'))).jobs).toEqual([])
    expect((await jsonOf<JobPage>(get(dashboard, '/api/jobs?q=***'))).jobs).toHaveLength(1)
    expect((await jsonOf<JobView>(get(dashboard, '/api/jobs/a'))).kwargs.redacted).toBe(true)
  })

  test('by a hook that throws hides the value', async () => {
    await bench.client().enqueue('f', ['hunter2'], { jobId: 'a' })
    const dashboard = bench.dashboard({
      redact: () => {
        throw new Error('no')
      },
    })
    expect(await (await get(dashboard, '/api/jobs/a')).text()).not.toContain('hunter2')
  })
})

describe('paths', () => {
  const folder = mkdtempSync(join(tmpdir(), 'arq-ts-board-'))
  mkdirSync(join(folder, 'site/assets'), { recursive: true })
  writeFileSync(join(folder, 'secret.txt'), 'top secret')
  writeFileSync(join(folder, 'site/.env'), 'top secret')
  writeFileSync(join(folder, 'site/index.html'), '<!doctype html><base href="/"><title>board</title>')
  writeFileSync(join(folder, 'site/assets/app-1a2b3c4d.js'), 'console.log(1);'.repeat(100))
  const dashboard = () => bench.dashboard({ assets: join(folder, 'site') })

  test.each([
    '/..%2fsecret.txt',
    '/assets/..%2f..%2fsecret.txt',
    '/assets/%2e%2e/%2e%2e/secret.txt',
    '/assets/..\\..\\secret.txt',
    '/assets/%00/../../secret.txt',
    '/assets/app-1a2b3c4d.js%00.html',
    '/.env',
    '/%2eenv',
    '//secret.txt',
    '/assets//etc/passwd',
  ])('reach no file by %s', async (path) => {
    const response = await dashboard().fetch(new Request(`http://localhost${path}`))
    expect(await response.text()).not.toContain('top secret')
    expect([200, 400, 404]).toContain(response.status)
  })

  test('of assets are served compressed, for a year, and only once', async () => {
    const path = '/assets/app-1a2b3c4d.js'
    const response = await get(dashboard(), path, { 'accept-encoding': 'gzip, br' })
    expect(response.headers.get('content-encoding')).toBe('br')
    expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    const again = await get(dashboard(), path, { 'if-none-match': response.headers.get('etag')! })
    expect(again.status).toBe(304)
    const plain = await get(dashboard(), path, { 'accept-encoding': 'br;q=0' })
    expect(plain.headers.get('content-encoding')).toBeNull()
  })

  test('of pages get the page with the base path, and unknown files get none', async () => {
    const under = bench.dashboard({ assets: join(folder, 'site'), basePath: '/admin/queues' })
    for (const path of [
      '/admin/queues',
      '/admin/queues/',
      '/admin/queues/jobs/a.b',
      '/admin/queues/limits/a.b.example',
    ]) {
      expect(await (await get(under, path)).text()).toContain('<base href="/admin/queues/">')
    }
    for (const path of ['/admin', '/admin/queuesx/', '/', '/admin/queues/assets/none.js', '/admin/queues/robots.txt']) {
      expect((await get(under, path)).status).toBe(404)
    }
  })

  test('refuse a base path that is markup', () => {
    for (const basePath of ['/"><script>', 'admin', '/a/../b"', '//evil.example/x y']) {
      expect(() => createDashboard({ client: bench.client(), basePath })).toThrow(/basePath/)
    }
  })

  test('of jobs are decoded once, so that any id can be asked for', async () => {
    const ids = ['a/b', '../x', '%2f', 'a?b#c', 'ünï', ' ', '__proto__', 'constructor']
    for (const jobId of ids) await bench.client().enqueue('f', [], { jobId })
    for (const jobId of ids) {
      const view = await jsonOf<JobView>(get(bench.dashboard(), `/api/jobs/${encodeURIComponent(jobId)}`))
      expect(view.jobId).toBe(jobId)
    }
    // A browser goes up at `..`, and text has no byte that is not UTF-8: such names are written as they are shown.
    for (const [shown, jobId] of [
      ['\\x2e\\x2e', '..'],
      ['\\x2e', '.'],
      ['\\xff', '\uDCFF'],
      ['\\x5cx41', '\\x41'],
    ] as const) {
      await bench.database().redis.zadd('arq:queue', Date.now() + 60_000, Buffer.from(idToBytes(jobId)))
      const view = await jsonOf<JobView>(get(bench.dashboard(), `/api/jobs/${encodeURIComponent(shown)}`))
      expect(view.jobId).toBe(jobId)
    }
    expect(await refusalOf(get(bench.dashboard(), '/api/jobs/%E0%A4%A'))).toEqual([400, 'invalid_request'])
  })
})
