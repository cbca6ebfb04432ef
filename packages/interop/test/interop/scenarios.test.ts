import { takeDatabase } from '@arq-ts/testkit'
import type { Database } from '@arq-ts/testkit'
import type { CodecName } from '@arq-ts/core'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { pythonProducer, typescriptProducer } from '../../src/producers.ts'
import type { Producer } from '../../src/producers.ts'
import { noPython, pythonOf } from '../../src/python.ts'
import { scenarios } from '../../src/scenarios.ts'
import type { Language } from '../../src/scenarios.ts'
import { pythonWorker, typescriptWorker } from '../../src/workers.ts'
import type { RunningWorker } from '../../src/workers.ts'

const languages: Language[] = ['Python', 'TypeScript']
const codecs: CodecName[] = ['pickle', 'msgpack']
/** The whole table with the version most fleets run; the others where Python takes part on either side. */
const versions = ['0.26.1', '0.26.3', '0.28.0']

for (const version of versions) {
  for (const codec of codecs) {
    for (const producerLanguage of languages) {
      for (const workerLanguage of languages) {
        const usesPython = producerLanguage === 'Python' || workerLanguage === 'Python'
        // Ours alone is the same whatever Python is installed; Python alone proves the scenarios once.
        if (version !== '0.26.1' && producerLanguage === workerLanguage) continue
        const title = `arq ${version}, ${codec}: ${producerLanguage} producer → ${workerLanguage} worker`
        describe.skipIf(usesPython && noPython !== undefined)(noPython && usesPython ? `${title} (left out: ${noPython})` : title, () => {
          let database: Database
          let producer: Producer
          let worker: RunningWorker

          beforeAll(async () => {
            database = await takeDatabase()
            const { url } = database
            const python = pythonOf(version) as string
            const settings = { url, codec, name: 'worker' }
            worker = workerLanguage === 'Python' ? await pythonWorker(python, settings) : await typescriptWorker(settings)
            producer = producerLanguage === 'Python' ? await pythonProducer(python, url, codec) : await typescriptProducer(url, codec)
          })
          afterAll(async () => {
            await producer?.close()
            await worker?.stop()
            await database?.release()
          })

          for (const [name, scenario] of Object.entries(scenarios)) {
            test(name, () => scenario({ producer, producerLanguage, workerLanguage, codec, redis: database.redis }))
          }
        })
      }
    }
  }
}
