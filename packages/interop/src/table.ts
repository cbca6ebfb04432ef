import { takeDatabase } from '@arq-ts/testkit'
import type { Database } from '@arq-ts/testkit'
import type { CodecName } from '@arq-ts/core'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { pythonProducer, typescriptProducer } from './producers.ts'
import type { Producer } from './producers.ts'
import { noPython, pythonOf } from './python.ts'
import { scenarios } from './scenarios.ts'
import type { Language } from './scenarios.ts'
import { pythonWorker, typescriptWorker } from './workers.ts'
import type { RunningWorker } from './workers.ts'

const languages: Language[] = ['Python', 'TypeScript']
const codecs: CodecName[] = ['pickle', 'msgpack']

/** The table of scenarios with one version of arq. */
export function proveWith(version: string): void {
  for (const codec of codecs) {
    for (const producerLanguage of languages) {
      for (const workerLanguage of languages) {
        const usesPython = producerLanguage === 'Python' || workerLanguage === 'Python'
        // Ours alone is the same whatever Python is installed; Python alone proves the scenarios once.
        if (version !== '0.26.1' && producerLanguage === workerLanguage) continue
        const title = `arq ${version}, ${codec}: ${producerLanguage} producer → ${workerLanguage} worker`
        describe.skipIf(usesPython && noPython !== undefined)(
          noPython && usesPython ? `${title} (left out: ${noPython})` : title,
          () => {
            let database: Database
            let producer: Producer
            let worker: RunningWorker

            beforeAll(async () => {
              database = await takeDatabase()
              const { url } = database
              const python = pythonOf(version) as string
              const settings = { url, codec, name: 'worker' }
              worker =
                workerLanguage === 'Python' ? await pythonWorker(python, settings) : await typescriptWorker(settings)
              producer =
                producerLanguage === 'Python'
                  ? await pythonProducer(python, url, codec)
                  : await typescriptProducer(url, codec)
            })
            afterAll(async () => {
              await producer?.close()
              await worker?.stop()
              await database?.release()
            })

            for (const [name, scenario] of Object.entries(scenarios)) {
              test(name, () => scenario({ producer, producerLanguage, workerLanguage, codec, redis: database.redis }))
            }
          },
        )
      }
    }
  }
}
