import { ARQ_VERSIONS, takeDatabase } from '@arq-ts/test-support'
import type { Database } from '@arq-ts/test-support'
import type { CodecName } from '@arq-ts/core'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { Fleet } from './fleet.ts'
import { codecScenarios, fleetScenarios } from './fleet-scenarios.ts'
import { pythonProducer, typescriptProducer } from './producers.ts'
import type { Producer } from './producers.ts'
import { pythonOf, whyNoTable } from './python.ts'
import { scenarios } from './scenarios.ts'
import type { Language } from './scenarios.ts'
import { pythonWorker, typescriptWorker } from './workers.ts'
import type { RunningWorker } from './workers.ts'

const languages: Language[] = ['Python', 'TypeScript']
const codecs: CodecName[] = ['pickle', 'msgpack']

/**
 * The table of scenarios with one version of arq. The pairs are proved at the same time, each on a database
 * of its own: most of a scenario is waiting.
 */
export function proveWith(version: string): void {
  describe.each(codecs)(`arq ${version}, %s`, { concurrent: true }, (codec) => {
    for (const producerLanguage of languages) {
      for (const workerLanguage of languages) {
        const usesPython = producerLanguage === 'Python' || workerLanguage === 'Python'
        // Ours alone is the same whatever Python is installed.
        if (usesPython || version === ARQ_VERSIONS[0]) provePair({ version, codec, producerLanguage, workerLanguage })
      }
    }
  })
}

/** Proves a mixed fleet with one version of arq; several at the same time, each on a database of its own. */
export function proveFleetWith(version: string): void {
  const title = `a mixed fleet with arq ${version}`
  const left = whyNoTable(version)
  describe(left ? `${title} (left out: ${left})` : title, { concurrent: true, skip: left !== undefined }, () => {
    const python = pythonOf(version) as string
    for (const [name, scenario] of Object.entries(codecScenarios)) {
      test.each(codecs)(`${name} (%s)`, (codec) => Fleet.gather(python, (fleet) => scenario(fleet, codec)))
    }
    for (const [name, scenario] of Object.entries(fleetScenarios)) test(name, () => Fleet.gather(python, scenario))
  })
}

interface Pair {
  version: string
  codec: CodecName
  producerLanguage: Language
  workerLanguage: Language
}

function provePair({ version, codec, producerLanguage, workerLanguage }: Pair): void {
  const left = producerLanguage === 'Python' || workerLanguage === 'Python' ? whyNoTable(version) : undefined
  const title = `${producerLanguage} producer → ${workerLanguage} worker`
  describe(left ? `${title} (left out: ${left})` : title, { concurrent: true, skip: left !== undefined }, () => {
    let database: Database
    let producer: Producer
    let worker: RunningWorker

    beforeAll(async () => {
      database = await takeDatabase()
      const { url } = database
      const python = pythonOf(version) as string
      const settings = { url, codec, name: 'worker' }
      worker = workerLanguage === 'Python' ? await pythonWorker(python, settings) : await typescriptWorker(settings)
      producer =
        producerLanguage === 'Python' ? await pythonProducer(python, url, codec) : await typescriptProducer(url, codec)
    })
    afterAll(async () => {
      await producer?.close()
      await worker?.stop()
      await database?.release()
    })

    for (const [name, scenario] of Object.entries(scenarios)) {
      // One after the other: a scenario fills the worker's slots, or waits for its queue to be empty.
      test.sequential(name, () =>
        scenario({ producer, producerLanguage, workerLanguage, codec, redis: database.redis }),
      )
    }
  })
}
