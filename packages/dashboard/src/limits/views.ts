import type { DeclaredLimit, LimitStatus } from '@arq-ts/core'
import type { LimitJobRow, LimitList, LimitRow, LimitView } from '../api/limits.ts'
import type { Board } from '../board.ts'
import { functionsSeen } from '../read/functions.ts'
import type { Viewer } from '../users/access.ts'
import type { Sight } from '../users/sight.ts'

const MAX_JOBS = 100
/** Limits that are shown, and limits that are read to find those that jobs wait for. */
const [MAX_LIMITS, MAX_READ] = [500, 2_000]

const DECLARED =
  'A limit that is not set and that no job waits for is listed if a worker with a recorder declared it within the last day.'
const KEYED = 'A limit by key lists the keys that were set or that jobs wait for.'

interface Declaration extends DeclaredLimit {
  functions: string[]
}

/** `GET /api/limits` */
export async function limitList(board: Board): Promise<Omit<LimitList, 'cost'>> {
  const { client } = board
  const reads = [client.now(), client.limits.list({ limit: MAX_READ }), declarations(board)] as const
  const [nowMs, first, declared] = await Promise.all(reads)
  // A list that ends has them all.
  const used = first.length < MAX_READ ? [] : await client.limits.list({ inUse: true, limit: MAX_READ })
  const listed = [...new Map([...first, ...used].map((each) => [`${each.name}:${each.key ?? ''}`, each])).values()]
  const idle = [...declared.keys()].filter((name) => !listed.some((each) => each.name === name && each.key === null))
  const others = await Promise.all(idle.map((name) => client.limits.get(name)))
  const limits = [...listed, ...others].map((status) => rowOf(status, declared.get(status.name)))
  const weight = ({ running, waiting }: LimitRow) => (waiting > 0 ? 2 : running > 0 ? 1 : 0)
  limits.sort((a, b) => weight(b) - weight(a) || compare(a.name, b.name) || compare(a.key ?? '', b.key ?? ''))
  const notes = [
    DECLARED,
    ...(limits.some(({ isKeyed }) => isKeyed) ? [KEYED] : []),
    ...notesOf(limits.length, used.length),
  ]
  return { nowMs, limits: limits.slice(0, MAX_LIMITS), notes }
}

function notesOf(count: number, used: number): string[] {
  if (used >= MAX_READ)
    return [
      `More than ${MAX_READ.toLocaleString('en-US')} limits and keys are in use. Only the first of them by name were looked ` +
        `at, and ${MAX_LIMITS} are shown: the sums are too low.`,
    ]
  if (count <= MAX_LIMITS) return []
  const all = (count < MAX_READ ? '' : 'the first ') + Math.min(count, MAX_READ).toLocaleString('en-US')
  return [`Of ${all} limits and keys ${MAX_LIMITS} are shown: those that jobs wait for come first.`]
}

/** The limits of a list that a user may see, with all their keys. */
export async function limitsSeen<T extends Pick<LimitList, 'limits'>>(
  board: Board,
  list: T,
  { sight }: Viewer,
): Promise<T> {
  const limits = await sight.own(list.limits, ({ name }) => ({ type: 'limit', name }))
  const isShown = await functionsSeen(board, sight)
  return { ...list, limits: limits.map((row) => ({ ...row, functions: row.functions.filter(isShown) })) }
}

/** `GET /api/limits/:name?key=`, with the jobs that the user may see. */
export async function limitView(
  board: Board,
  name: string,
  key: string | null,
  sight: Sight,
): Promise<Omit<LimitView, 'cost'>> {
  const { client } = board
  const of = key === null || key === '' ? {} : { key }
  const [nowMs, status, jobs, declared] = await Promise.all([
    client.now(),
    client.limits.get(name, of),
    client.limits.jobs(name, { ...of, limit: MAX_JOBS }),
    declarations(board),
  ])
  const rows = jobs.map(({ jobId, queueName, state, until, workerId }) => ({
    jobId,
    state,
    queueName,
    workerId,
    untilMs: until?.getTime() ?? null,
  }))
  const row = rowOf(status, declared.get(name))
  const functions = row.functions.filter(await functionsSeen(board, sight))
  return { ...row, functions, nowMs, jobs: await jobsSeen(board, rows, sight) }
}

/** The jobs that a user may see. The queue of a running job is looked for: its place does not name it. */
async function jobsSeen({ client, names }: Board, rows: LimitJobRow[], sight: Sight): Promise<LimitJobRow[]> {
  if (sight.isWhole) return rows
  const unknown = rows.filter(({ queueName }) => queueName === null).map(({ jobId }) => jobId)
  const queues = await client.jobs.queuesOf(unknown, { among: (await names.known()).names })
  const placed = rows.map((row) => ({ jobId: row.jobId, queueName: row.queueName ?? queues.get(row.jobId) ?? null }))
  const seen = new Set((await sight.jobs(placed)).map(({ jobId }) => jobId))
  return rows.filter(({ jobId }) => seen.has(jobId))
}

/** The limits that tasks declare, by name. */
async function declarations(board: Board): Promise<Map<string, Declaration>> {
  const found = new Map<string, Declaration>()
  for (const { definition, name } of await board.history.functions()) {
    for (const limit of definition?.limits ?? []) {
      const known = found.get(limit.name)
      if (known) known.functions.push(name)
      else found.set(limit.name, { ...limit, functions: [name] })
    }
  }
  return found
}

function rowOf(status: LimitStatus, declared: Declaration | undefined): LimitRow {
  const { key, name, running, waiting } = status
  return {
    name,
    key,
    isKeyed: key === null && declared?.isKeyed === true,
    // A bound that was lifted at run time is null, too: a bound set at run time overrides a declared one.
    concurrency: status.isSet ? status.concurrency : (status.concurrency ?? declared?.concurrency ?? null),
    rate: status.isSet ? status.rate : (status.rate ?? declared?.rate ?? null),
    isSet: status.isSet,
    running,
    waiting,
    functions: declared?.functions ?? [],
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
