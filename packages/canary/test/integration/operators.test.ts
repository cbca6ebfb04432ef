import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { uniform } from '../../simulation/random.ts'
import { DeploymentError } from '../../src/index.ts'
import type { CanaryDeployments } from '../../src/index.ts'
import { eventually } from '@arq-ts/test-support'
import { MemoryAliases, quick, useHarness } from '../support/harness.ts'

const bench = useHarness()
const ACTS = ['pause', 'resume', 'approve', 'promote', 'rollback'] as const

/** Events that may come in each phase. */
const AFTER: Record<string, readonly string[]> = {
  running: [
    'stage_began',
    'advanced',
    'held',
    'waiting_for_approval',
    'approved',
    'paused',
    'promoting',
    'rolling_back',
  ],
  paused: ['resumed', 'promoting', 'rolling_back'],
  promoting: ['completed', 'rolling_back'],
  rolling_back: ['rolled_back'],
  over: [],
}
const phaseAfter: Record<string, string> = {
  paused: 'paused',
  promoting: 'promoting',
  rolling_back: 'rolling_back',
  completed: 'over',
  rolled_back: 'over',
}

/** Aliases whose moves take a while: operators act meanwhile. */
class SlowAliases extends MemoryAliases {
  override async switchAlias(alias: string, collection: string): Promise<void> {
    await sleep(20)
    await super.switchAlias(alias, collection)
    await sleep(20)
  }
}

test.each([1, 2, 3, 4, 5, 6])(
  'operators who act at once on a deployment that is driven get an answer each, and one end, seed %i',
  async (seed) => {
    const random = uniform(seed)
    const aliases = new SlowAliases()
    for (let i = 0; i < 2; i++) bench.worker({ aliases })
    const operators = Array.from({ length: 3 }, () => bench.deployments(aliases))
    const stages = [{ percentage: 20, durationMinutes: 0.001, approval: true }, ...quick([50, 600], [100, 0])]
    const id = await operators[0]!.startCanary('products', 'v2', { stages, inconclusive: 'proceed' })
    const done: Record<string, number> = {}
    const act = async (operator: CanaryDeployments) => {
      for (let i = 0; i < 12; i++) {
        // The acts that end it come late, and from several operators at once.
        const what = ACTS[Math.floor(random() * (i < 8 ? 3 : 5))]!
        try {
          await operator[what](id)
          done[what] = (done[what] ?? 0) + 1
        } catch (error) {
          expect(error).toBeInstanceOf(DeploymentError)
        }
      }
    }
    await Promise.all(operators.map(act))
    await operators[0]!.rollback(id).then(
      () => (done.rollback = (done.rollback ?? 0) + 1),
      (error: unknown) => expect(error).toBeInstanceOf(DeploymentError),
    )
    const status = async () => (await operators[0]!.status(id))!
    await eventually(async () => ['completed', 'rolled_back'].includes((await status()).status), { timeoutMs: 20_000 })

    const { decisions, status: end } = await status()
    let phase = 'running'
    for (const { event } of decisions) {
      expect(AFTER[phase], decisions.map((each) => each.event).join(' ')).toContain(event)
      phase = event === 'resumed' ? 'running' : (phaseAfter[event] ?? phase)
    }
    expect(phase).toBe('over')
    // Each act that succeeded is one decision.
    const noted = (event: string) => decisions.filter((each) => each.event === event).length
    for (const [what, event] of [
      ['pause', 'paused'],
      ['resume', 'resumed'],
      ['promote', 'promoting'],
      ['rollback', 'rolling_back'],
    ] as const)
      expect([what, noted(event)]).toEqual([what, done[what] ?? 0])
    expect(aliases.aliases.get('products')).toBe(end === 'completed' ? 'v2' : 'v1')
    const redis = bench.redis()
    expect(await redis.exists('canary:routes:products', 'canary:alias:products')).toBe(0)
    expect(await redis.zrange('canary:active', 0, '-1')).toEqual([])
    const last = (await bench.events()).filter(({ type }) => type !== 'deployment_started')
    expect(last.map(({ type }) => type)).toEqual([end === 'completed' ? 'deployment_completed' : 'deployment_failed'])
    // Nothing of it moves the alias any more: the looks of its earlier states come now.
    const moves = aliases.switches.length
    for (const job of await redis.zrange('arq:queue', 0, '-1')) await redis.zadd('arq:queue', 'XX', 1, job)
    await eventually(async () => (await redis.zcard('arq:queue')) === 0, { timeoutMs: 20_000 })
    expect(aliases.switches).toHaveLength(moves)
  },
)
