import { fileURLToPath } from 'node:url'
import { ARQ_VERSIONS, Child, eventually } from '@arq-ts/test-support'
import { describe, expect, test } from 'vitest'
import { MemoryAliases, useHarness } from '../support/harness.ts'

const why = process.env.ARQ_TEST_NO_PYTHON
const oldestAndNewest = [ARQ_VERSIONS[0]!, ARQ_VERSIONS.at(-1)!]

describe.skipIf(why !== undefined).each(oldestAndNewest)(
  `a Python producer with arq %s${why ? ` (left out: ${why})` : ''}`,
  (version) => {
    const python = process.env[`ARQ_TEST_PYTHON_${version}`]
    const bench = useHarness()

    test.each(['positional', 'keywords', 'mixed'])(
      'enqueues run_canary_deployment as it always did: %s',
      async (how) => {
        const aliases = new MemoryAliases()
        const deployments = bench.deployments(aliases)
        bench.worker({ aliases, rules: { onNoTraffic: 'proceed' } })
        const child = new Child(python!, [
          fileURLToPath(new URL('produce.py', import.meta.url)),
          bench.database().url,
          how,
        ])
        expect(await child.exited, child.lines.join('\n')).toBe(0)
        expect(JSON.parse(child.lines.at(-1)!)).toEqual({
          status: 'success',
          deployment_id: 'canary_1700000000',
          deployment_status: 'running',
          duration: expect.any(Number) as number,
        })
        await eventually(async () => (await deployments.status('canary_1700000000'))?.status === 'completed', {
          timeoutMs: 20_000,
        })
        expect(aliases.switches).toEqual(['v2'])
        expect(await deployments.status('canary_1700000000')).toMatchObject({
          autoRollback: how === 'positional',
          stages: [
            { percentage: 10, durationMinutes: 0.01, errorThreshold: 0.05, latencyThreshold: 200 },
            { percentage: 100, durationMinutes: 0, errorThreshold: 0.02, latencyThreshold: 100 },
          ],
        })
      },
    )
  },
)
