import { expect, test } from 'vitest'
import { Client } from '../../src/index.ts'
import { silent, useHarness } from './support.ts'

const bench = useHarness()
const USER = 'reads-without-scripts'

test('summaries are the same with a script and without, name a damaged letter, and keep the others', async () => {
  const { redis, url } = bench.database()
  const writes = redis.pipeline()
  for (let i = 0; i < 1_203; i++) {
    writes.zadd('arq:dead', 1_000_000 + i, `job-${i}`)
    if (i % 400 === 7) writes.set(`arq:dead:job-${i}`, 'no hash')
    else if (i % 400 !== 8)
      writes.hset(`arq:dead:job-${i}`, { queue: `q${i % 3}`, function: 'f', error: `Error: ${i}`, try: i })
  }
  await writes.exec()
  await redis.call('ACL', 'SETUSER', USER, 'on', '>secret', 'allkeys', 'allchannels', '+@all', '-@scripting')
  const address = new URL(url)
  address.username = USER
  address.password = 'secret'
  const read = async (redisUrl: string) => {
    const client = new Client({ redis: redisUrl, logger: silent })
    const letters = await client.deadLetters.summaries()
    const damaged = client.doctor.takeDamagedKeys().map(({ key }) => key)
    await client.close()
    return { letters, damaged: damaged.sort() }
  }
  try {
    const [byScript, byCommands] = [await read(url), await read(address.href)]
    expect(byScript).toEqual(byCommands)
    expect(byScript.letters).toHaveLength(1_203)
    // Numbers 7, 407, 807 hold no hash.
    expect(byScript.damaged).toEqual(['arq:dead:job-407', 'arq:dead:job-7', 'arq:dead:job-807'])
    const byId = new Map(byScript.letters.map((letter) => [letter.jobId, letter]))
    expect(byId.get('job-1202')).toMatchObject({
      queueName: 'q2',
      functionName: 'f',
      error: 'Error: 1202',
      jobTry: 1_202,
    })
    for (const id of ['job-7', 'job-8'])
      expect(byId.get(id)).toMatchObject({ queueName: '', functionName: '<unknown>' })
    const filtered = byScript.letters.filter(({ queueName }) => queueName === 'q1')
    expect(await bench.client().deadLetters.summaries({ queueName: 'q1' })).toEqual(filtered)
  } finally {
    await redis.call('ACL', 'DELUSER', USER)
  }
})
