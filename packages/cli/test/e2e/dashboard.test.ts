import { freePort } from '@arq-ts/test-support'
import { describe, expect, test } from 'vitest'
import { useCommand } from '../support/command.ts'

const bench = useCommand()

describe('arq-ts dashboard', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)('prints its address, serves, and ends with 0 on %s', async (signal) => {
    const child = bench.start(['dashboard', '--port', '0', '--base-path', '/queues'])
    const url = await child.line(/^http:\/\/127\.0\.0\.1:\d+\/queues\/$/)
    const overview = await fetch(`${url}api/overview`)
    expect(overview.status).toBe(200)
    expect(await (await fetch(url)).text()).toContain('<base href="/queues/">')
    // A stream that is open does not hold it up.
    const stream = await fetch(`${url}api/stream?topics=queues`)
    child.kill(signal)
    expect(await child.exited).toBe(0)
    await stream.text().catch(() => '')
  })

  test('listens beyond this machine only where users sign in', async () => {
    const port = String(await freePort())
    const refused = await bench.run(['dashboard', '--host', '0.0.0.0', '--port', port])
    expect(refused.code).toBe(2)
    expect(refused.stderr).toContain('nobody has to sign in')
    const env = {
      ARQ_TS_DASHBOARD_USERS: 'anna:secret-1,bob:secret-2',
      ARQ_TS_DASHBOARD_TOKEN: 'a-token-of-some-length',
    }
    const child = bench.start(['dashboard', '--host', '0.0.0.0', '--port', port, '--read-only'], env)
    await child.line(/^http:\/\/0\.0\.0\.0:\d+\/$/)
    const ask = (authorization: string, init: RequestInit = {}) =>
      fetch(`http://127.0.0.1:${port}/api/bootstrap`, { ...init, headers: { authorization } })
    const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`
    expect((await ask(basic('anna:secret-2'))).status).toBe(401)
    const anna = await ask(basic('anna:secret-1'))
    expect(await anna.json()).toMatchObject({ user: { name: 'anna' }, readOnly: true, actions: [] })
    expect((await ask('Bearer a-token-of-some-length')).status).toBe(200)
  })

  test('reports a port that is in use', async () => {
    const child = bench.start(['dashboard', '--port', '0'])
    const { port } = new URL(await child.line(/^http:\/\//))
    const second = await bench.run(['dashboard', '--port', port])
    expect(second.code).toBe(2)
    expect(second.stderr).toContain('it is in use')
  })
})
