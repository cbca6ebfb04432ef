import { createHash } from 'node:crypto'
import { groupDead } from '@arq-ts/core'
import type { DeadLetter } from '@arq-ts/core'
import type { ErrorDetails, ErrorGroup, ErrorListData } from '../api/types.ts'
import type { Board } from '../board.ts'
import { Refusal } from '../http/refusal.ts'
import { can } from '../recorder.ts'
import type { RecordedError } from '../recorder.ts'

const MAX_JOBS = 50
const MAX_GROUPS = 500

/** The fingerprint of an error in one line: the same for errors that differ in numbers, ids and quoted words only. */
export function fingerprintOf(error: string): string {
  return createHash('sha256').update(normalized(error)).digest('hex').slice(0, 16)
}

function normalized(error: string): string {
  const letter = { error, failedAt: new Date(0), functionName: '', jobId: '' } as DeadLetter
  return groupDead([letter], 'error')[0]!.key
}

/** Dead letters by fingerprint, the newest first within each. */
export function groupsOf(letters: readonly DeadLetter[]): Map<string, DeadLetter[]> {
  const groups = new Map<string, DeadLetter[]>()
  for (const letter of letters) {
    const fingerprint = fingerprintOf(letter.error)
    const group = groups.get(fingerprint)
    if (group) group.push(letter)
    else groups.set(fingerprint, [letter])
  }
  return groups
}

/** Errors by fingerprint: those recorded, and those that only dead letters show. */
export async function errorList(board: Board, state: string | null): Promise<Omit<ErrorListData, 'cost'>> {
  const nowMs = await board.client.inspector.now()
  const dead = groupsOf(await board.deadLetters())
  const recorded = can(board.recorder, 'errors') ? await board.recorder.errors({ limit: MAX_GROUPS }) : null
  const all =
    recorded === null || recorded.length === 0
      ? [...dead].map(([fingerprint, letters]) => groupOf(board, fingerprint, letters))
      : recorded.map((error) => recordedGroup(board, error, dead))
  const groups = all.filter((group) => state === null || group.state === state).sort((a, b) => b.lastMs - a.lastMs)
  return {
    available: true,
    nowMs,
    groups: groups.slice(0, MAX_GROUPS),
    hidden: all.length - groups.length,
    source: recorded !== null && recorded.length > 0 ? 'recorder' : 'dead-letters',
    limits:
      recorded !== null && recorded.length > 0
        ? []
        : [
            'Only dead letters are counted: failures that were tried again, and those of Python workers, are not among them.',
          ],
  }
}

/** One group of errors, with its dead letters. @throws Refusal */
export async function errorDetails(board: Board, fingerprint: string): Promise<Omit<ErrorDetails, 'cost'>> {
  const list = await errorList(board, null)
  const group = list.groups.find((each) => each.fingerprint === fingerprint)
  if (!group)
    throw new Refusal('not_found', `there is no error "${fingerprint.slice(0, 64)}": its jobs were replayed or purged`)
  const letters = await lettersOf(board, fingerprint)
  return {
    nowMs: list.nowMs,
    group,
    jobs: letters.slice(0, MAX_JOBS).map(({ jobId, queueName, functionName, failedAt, error, jobTry }) => ({
      jobId,
      queueName,
      functionName,
      jobTry,
      failedAtMs: failedAt.getTime(),
      error: board.redaction.error({ jobId, queueName, functionName }, error) ?? '',
    })),
  }
}

/** The dead letters of a group, newest first: by their error, or by the last jobs of what was recorded. */
export async function lettersOf(board: Board, fingerprint: string): Promise<DeadLetter[]> {
  const letters = await board.deadLetters()
  const recorded = can(board.recorder, 'error') ? await board.recorder.error(fingerprint) : null
  const wanted = recorded ? fingerprintOf(`${recorded.type}: ${recorded.sample}`) : fingerprint
  return letters.filter(({ error }) => fingerprintOf(error) === wanted)
}

function groupOf(board: Board, fingerprint: string, letters: readonly DeadLetter[]): ErrorGroup {
  const newest = letters[0]!
  const example = board.redaction.error(newest, normalized(newest.error)) ?? ''
  const [, type = 'Error', message = example] = /^([\w.]{1,200}): ?([^]*)$/.exec(example) ?? []
  const times = letters.map(({ failedAt }) => failedAt.getTime())
  return {
    fingerprint,
    type,
    message: message.slice(0, 1_000),
    functions: distinct(letters.map(({ functionName }) => functionName)),
    queues: distinct(letters.map(({ queueName }) => queueName)),
    languages: [],
    count: letters.length,
    dead: letters.length,
    firstMs: Math.min(...times),
    lastMs: Math.max(...times),
    state: 'open',
    example: newest.jobId,
    stack: null,
    trend: null,
  }
}

function recordedGroup(board: Board, error: RecordedError, dead: ReadonlyMap<string, DeadLetter[]>): ErrorGroup {
  const { fingerprint, type, count, firstMs, lastMs, state, functions, queues, lastJobId, stack } = error
  const about = { jobId: lastJobId, functionName: functions[0] ?? null, queueName: queues[0] ?? null }
  return {
    fingerprint,
    type,
    count,
    firstMs,
    lastMs,
    state,
    functions,
    queues,
    message: (board.redaction.error(about, error.message) ?? '').slice(0, 1_000),
    languages: [],
    dead: dead.get(fingerprintOf(`${type}: ${error.sample}`))?.length ?? 0,
    example: lastJobId,
    stack: board.redaction.error(about, stack)?.slice(0, 16_384) ?? null,
    trend: null,
  }
}

function distinct(names: readonly string[]): string[] {
  return [...new Set(names)].slice(0, 10)
}
