import { describe, expect, test } from 'vitest'
import { modulesOf } from '../support/module-graph.ts'

/** Packages that a process pays for with time and memory, and few need. */
const HEAVY = ['zod', 'croner', '@opentelemetry/api', 'pino-pretty', 'yaml', 'smol-toml', 'parse-duration', 'ioredis']

/** An entry: the packages and folders it does without, and the files it may load. */
const entries: [entry: string, packages: string[], folders: string[], most: number][] = [
  ['core/src/client/index.ts', [...HEAVY, 'pino'], ['worker', 'cron', 'config', 'manager'], 230],
  [
    'core/src/config/index.ts',
    ['zod', 'ioredis', 'msgpackr', 'croner', '@opentelemetry/api'],
    ['worker', 'client'],
    60,
  ],
  ['core/src/index.ts', ['zod', 'ioredis', '@opentelemetry/api', 'pino-pretty', 'yaml', 'smol-toml'], [], 340],
]

describe('an entry loads what its users need, and no more', () => {
  test.each(entries)('%s loads none of %j, and nothing of %j', async (entry, heavy, folders, most) => {
    const { files, packages } = await modulesOf(entry)
    expect(packages.filter((name) => heavy.includes(name))).toEqual([])
    const isForbidden = (file: string) => folders.some((folder) => file.startsWith(`core/src/${folder}/`))
    expect(files.filter(isForbidden)).toEqual([])
    expect(files.length).toBeLessThanOrEqual(most)
    expect(files.length).toBeGreaterThan(most / 4)
  })
})
