import { decideMember, membersOf, putResults } from '@arq-ts/protocol/flows'
import type { MemberOutcome, UnknownPolicy } from '@arq-ts/protocol/flows'
import { decodeJob, decodeResult, encodeJob } from '@arq-ts/protocol/jobs'
import type { PayloadLimits } from '@arq-ts/protocol'
import { DecodeError, EncodeError, FlowError } from '../errors.ts'
import type { Placement } from '../redis/flows.ts'
import type { RedisContext } from '../redis/context.ts'
import { keyList, memberJobId, readDefinition } from './definition.ts'
import type { MemberDefinition } from './definition.ts'

interface Planned {
  key: string
  task: string
  definition: MemberDefinition
  /** Members before it, with those that they added. */
  before: string[]
  payload: Buffer
}

const NOTHING: Buffer = Buffer.alloc(0)

/** Decides tasks on members: what each of them becomes, by how those before it ended, and its call with their results. */
export async function planTasks(
  link: RedisContext,
  flowId: string,
  tasks: readonly (readonly [key: string, task: string])[],
): Promise<Placement[]> {
  const { clock, flowRecords: records, limits } = link
  const keys = tasks.map(([key]) => key)
  const names = ['unknown', 'kids', ...keys.flatMap((key) => [`m:${key}`, `a:${key}`])]
  const [[unknown, kids, ...texts], payloads] = await Promise.all([
    records.fields(flowId, names),
    records.calls(flowId, keys),
  ])
  const onUnknown: UnknownPolicy = unknown === 'succeed' ? 'succeed' : 'fail'
  const planned: Planned[] = []
  for (const [i, [key, task]] of tasks.entries()) {
    const [text, payload] = [texts[2 * i], payloads[i]]
    if (!text || !payload) continue // replayed or gone since
    planned.push({ key, task, definition: readDefinition(text), before: keyList(texts[2 * i + 1]), payload })
  }
  const runnable = planned.filter(({ task }) => !task.startsWith('hold'))
  if (kids) await addKids(link, flowId, runnable)
  const parents = [...new Set(runnable.flatMap(({ before }) => before))]
  const outcomes = await records.fields(
    flowId,
    parents.map((key) => `e:${key}`),
  )
  const ends = new Map(parents.map((key, i) => [key, outcomes[i] as MemberOutcome | null]))
  const actions = new Map(
    runnable.map(({ before, definition, key }) => {
      // A replay may have opened one since: the script leaves this task then.
      const known = before.map((parent) => ends.get(parent) ?? 'unknown')
      return [key, decideMember(definition.on, known, onUnknown)]
    }),
  )
  const results = await resultsFor(
    link,
    flowId,
    runnable.filter(({ key }) => actions.get(key) === 'run'),
    ends,
  )
  const placements: Placement[] = []
  for (const { definition, key, payload, task } of planned) {
    const { delayMs, queueName } = definition
    const place = { key, jobId: memberJobId(flowId, key), queueName, task, delayMs }
    const action = task.startsWith('hold') ? 'hold' : actions.get(key)!
    if (action === 'skipped' || action === 'blocked') placements.push({ ...place, action, payload: NOTHING })
    else if (action === 'hold') placements.push({ ...place, action, payload })
    else placements.push({ ...place, ...filled(definition, payload, results, clock.now(), limits, task) })
  }
  const refused = placements.flatMap(({ key, reason }) => (reason === undefined ? [] : [[key, reason] as const]))
  if (refused.length > 0) await records.explain(flowId, refused)
  return placements
}

/** A call with the results it names. One that cannot be written fails its member alone. */
function filled(
  { references }: MemberDefinition,
  payload: Buffer,
  results: ReadonlyMap<string, Buffer>,
  nowMs: number,
  limits: PayloadLimits,
  task: string,
): Pick<Placement, 'action' | 'payload' | 'reason'> {
  if (references.length === 0 && task.startsWith('start')) return { action: 'run', payload }
  try {
    const { codec, record } = decodeJob(payload, limits)
    const resultOf = (key: string): unknown => {
      const bytes = results.get(key)
      return bytes ? decodeResult(bytes, limits).record.result : null
    }
    const { args, kwargs } = putResults(record, references, resultOf)
    return { action: 'run', payload: encodeJob({ ...record, args, kwargs, enqueueTimeMs: nowMs }, codec, limits) }
  } catch (error) {
    if (!(error instanceof DecodeError || error instanceof EncodeError)) throw error
    return { action: 'failure', payload: NOTHING, reason: `its call cannot be written: ${error.message}` }
  }
}

/** Results of members that succeeded and that these calls name. */
async function resultsFor(
  link: RedisContext,
  flowId: string,
  planned: readonly Planned[],
  ends: ReadonlyMap<string, MemberOutcome | null>,
): Promise<Map<string, Buffer>> {
  const named = [...new Set(planned.flatMap(({ definition }) => membersOf(definition.references)))]
  const keys = named.filter((key) => ends.get(key) === 'success')
  const values = await link.flowRecords.results(flowId, keys)
  return new Map(keys.flatMap((key, i) => (values[i] ? [[key, values[i]]] : [])))
}

/** Puts the members that others have added behind those that added them. */
async function addKids(link: RedisContext, flowId: string, planned: readonly Planned[]): Promise<void> {
  const known = new Map<string, number>()
  for (let keys = [...new Set(planned.flatMap(({ before }) => before))]; keys.length > 0;) {
    const counts = await link.flowRecords.fields(
      flowId,
      keys.map((key) => `k:${key}`),
    )
    const some = counts.find((count) => count !== null)
    // Each member has fields of its own: what counts more than these is damage, and would fill the memory.
    const most = some === undefined ? 0 : await link.flowRecords.size(flowId)
    for (const [i, key] of keys.entries()) {
      const count = Number(counts[i] ?? 0)
      if (!(count <= most))
        throw new FlowError(
          `the flow '${flowId}' is damaged: it counts '${counts[i]}' added members; start the flow under another id`,
        )
      known.set(key, count)
    }
    keys = keys.flatMap((key) => kidsOf(key, known.get(key)!))
  }
  const family = (key: string): string[] => [key, ...kidsOf(key, known.get(key) ?? 0).flatMap(family)]
  for (const each of planned) each.before = each.before.flatMap(family)
}

function kidsOf(key: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${key}.${i}`)
}
