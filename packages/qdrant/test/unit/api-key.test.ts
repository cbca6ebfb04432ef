import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createLogger } from '@arq-ts/core'
import { afterEach, expect, test, vi } from 'vitest'
import { AliasManager, createTasks } from '../../src/index.ts'

afterEach(() => vi.restoreAllMocks())

test('the key is sent with each call, and nothing is printed past the logger', async () => {
  const printed = vi.spyOn(console, 'warn').mockImplementation(() => {})
  const keys: unknown[] = []
  const server = createServer((request, response) => {
    keys.push(request.headers['api-key'])
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ result: { aliases: [] } }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  await new AliasManager({ qdrant: { url, apiKey: 'the key' } }).listAliases()
  server.closeAllConnections()
  server.close()
  expect(keys).toEqual(['the key'])
  expect(printed).not.toHaveBeenCalled()
})

test.each([
  ['http://qdrant:6333', true],
  ['https://qdrant:6333', false],
  ['http://localhost:6333', false],
  ['http://127.0.0.1:6333', false],
  [undefined, false],
])('a worker logs that the key goes to %s in clear: %s', async (url, isLogged) => {
  const logger = createLogger({ level: 'silent' })
  const warn = vi.spyOn(logger, 'warn')
  const environment = { redis: 'redis://127.0.0.1:1', keyPrefix: '', folder: '.', queueName: 'q', logger }
  await createTasks({ ...(url === undefined ? {} : { url }), apiKey: 'the key' }, environment)
  expect(warn.mock.calls).toEqual(
    isLogged ? [["Qdrant's `apiKey` is sent to http://qdrant:6333 without TLS; use an https URL"]] : [],
  )
})
