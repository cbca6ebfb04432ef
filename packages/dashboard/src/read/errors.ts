import { errorFingerprint, normaliseError } from '@arq-ts/core'
import type { DeadLetterSummary, ErrorGroup as RecordedError } from '@arq-ts/core'
import type { ErrorDetails, ErrorGroup, ErrorListData } from '../api/types.ts'
import type { Board } from '../board.ts'
import { Refusal } from '../http/refusal.ts'
import type { Sight } from '../users/sight.ts'
import { functionsSeen } from './functions.ts'

const MAX_JOBS = 50
const MAX_GROUPS = 500

/** Type and message of an error in one line, as dead letters have it. */
function partsOf(line: string): { type: string; message: string } {
  const at = line.indexOf(': ')
  return at === -1 ? { type: 'Error', message: line } : { type: line.slice(0, at), message: line.slice(at + 2) }
}

/** The fingerprint of an error in one line: the recorder's own, so that dead letters find their group. */
export function fingerprintOf(line: string, jobId: string): string {
  const { type, message } = partsOf(line)
  return errorFingerprint(type, normaliseError(message, jobId))
}

/** Dead letters by fingerprint, the newest first within each. */
export function groupsOf(letters: readonly DeadLetterSummary[]): Map<string, DeadLetterSummary[]> {
  const groups = new Map<string, DeadLetterSummary[]>()
  for (const letter of letters) {
    const fingerprint = fingerprintOf(letter.error, letter.jobId)
    const group = groups.get(fingerprint)
    if (group) group.push(letter)
    else groups.set(fingerprint, [letter])
  }
  return groups
}

/** Errors by fingerprint: those recorded, and those that only dead letters show. */
export async function errorList(board: Board, state: string | null): Promise<Omit<ErrorListData, 'cost'>> {
  const nowMs = await board.client.now()
  const dead = groupsOf(await board.deadLetters())
  const recorded = await board.history.errors({ limit: MAX_GROUPS })
  const known = new Set(recorded.map(({ fingerprint }) => fingerprint))
  const all = [
    ...recorded.map((error) => recordedGroup(board, error, dead)),
    ...[...dead].filter(([each]) => !known.has(each)).map(([each, letters]) => groupOf(board, each, letters)),
  ]
  const groups = all.filter((group) => state === null || group.state === state).sort((a, b) => b.lastMs - a.lastMs)
  return {
    available: true,
    nowMs,
    groups: groups.slice(0, MAX_GROUPS),
    hidden: all.length - groups.length,
    source: recorded.length > 0 ? 'recorder' : 'dead-letters',
    limits: [
      'Failures on Python workers are counted by the results that they keep.',
      ...(recorded.length > 0 ? [] : ['No worker has recorded an error: only dead letters are counted.']),
    ],
  }
}

/**
 * The groups of a list that a user may see: those of a queue which the user may see. Of a group of other queues, too, the
 * job and the stack may be theirs, and are left out.
 */
export async function errorsSeen<T extends { groups: ErrorGroup[] }>(board: Board, list: T, sight: Sight): Promise<T> {
  if (sight.isWhole) return list
  const seen = await sight.withQueues(list.groups)
  const isShown = await functionsSeen(board, sight)
  const whole = new Map(list.groups.map((group) => [group.fingerprint, group.queues.length]))
  const groups = seen.map((group) =>
    group.queues.length === whole.get(group.fingerprint)
      ? group
      : { ...group, functions: group.functions.filter(isShown), example: null, stack: null },
  )
  return { ...list, groups }
}

/** One group of errors, with its dead letters, as far as the user may see them. @throws Refusal */
export async function errorDetails(
  board: Board,
  fingerprint: string,
  sight: Sight,
): Promise<Omit<ErrorDetails, 'cost'>> {
  const list = await errorsSeen(board, await errorList(board, null), sight)
  const group = list.groups.find((each) => each.fingerprint === fingerprint)
  if (!group)
    throw new Refusal('not_found', `there is no error "${fingerprint.slice(0, 64)}": its jobs were retried or purged`)
  const letters = await sight.jobs(await lettersOf(board, fingerprint))
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

/** The dead letters of a group, newest first. */
export async function lettersOf(board: Board, fingerprint: string): Promise<DeadLetterSummary[]> {
  const letters = await board.deadLetters()
  return letters.filter(({ error, jobId }) => fingerprintOf(error, jobId) === fingerprint)
}

function groupOf(board: Board, fingerprint: string, letters: readonly DeadLetterSummary[]): ErrorGroup {
  const newest = letters[0]!
  const { type, message } = partsOf(newest.error)
  const shown = board.redaction.error(newest, normaliseError(message, newest.jobId)) ?? ''
  const times = letters.map(({ failedAt }) => failedAt.getTime())
  return {
    fingerprint,
    type,
    message: shown.slice(0, 1_000),
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

function recordedGroup(board: Board, error: RecordedError, dead: ReadonlyMap<string, DeadLetterSummary[]>): ErrorGroup {
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
    dead: dead.get(fingerprint)?.length ?? 0,
    example: lastJobId,
    stack: board.redaction.error(about, stack)?.slice(0, 16_384) ?? null,
    trend: null,
  }
}

function distinct(names: readonly string[]): string[] {
  return [...new Set(names)].slice(0, 10)
}
