import { Client, createLogger } from '@arq-ts/core'
import { takeDatabase, unrefusedOf } from '@arq-ts/test-support'
import { expect, test } from 'vitest'
import * as dashboard from '../../src/index.ts'

test('every exported function refuses wrong arguments, and names the likely option', async () => {
  const database = await takeDatabase()
  const logger = createLogger({ level: 'silent' })
  const client = new Client({ redis: database.url, logger })
  const board = dashboard.createDashboard({ client })
  const own = {
    client,
    title: 'jobs',
    address: 'here',
    basePath: '/admin',
    queues: ['q'],
    readOnly: true,
    authenticate: dashboard.bearer({ '0123456789abcdef': { name: 'x' } }),
    authorize: () => true,
    allowedHosts: ['jobs.example.org'],
    redact: () => 1,
    traceUrl: 'https://traces/{traceId}',
    logger,
  }
  const path = { 'a string': 'is checked when a request comes' }
  const unrefused = await unrefusedOf({
    exports: dashboard,
    accepted: {
      createDashboard: [own],
      serveDashboard: [board, { host: '127.0.0.1', port: 0 }],
      trustedProxy: [{ userHeader: 'u', roleHeader: 'r', secretHeader: 's', secret: '0123456789abcdef' }],
      toHonoHandler: [board, '/admin'],
      toNextHandlers: [board, '/admin'],
      toFastifyPlugin: [board],
      toExpressHandler: [board],
      toNodeHandler: [board],
    },
    data: [
      'client',
      'logger',
      'serveDashboard(0)',
      'toHonoHandler(0)',
      'toNextHandlers(0)',
      'toFastifyPlugin(0)',
      'toExpressHandler(0)',
      'toNodeHandler(0)',
    ],
    right: { createDashboard: path },
    passed: {},
  })
  await board.close()
  await client.close()
  await database.release()
  expect(unrefused).toEqual([])
})
