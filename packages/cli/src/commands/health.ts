import { showId } from '@arq-ts/protocol/jobs'
import type { Finding } from '@arq-ts/core'
import type { GlobalArgs } from '../args.ts'
import { audited } from '../audit.ts'
import type { AuditedAct } from '../audit.ts'
import { EXIT } from '../exit.ts'
import { counted, countText, namesText, spanText } from '../output.ts'
import type { Output } from '../output.ts'
import { searchOf, UNSEEN_QUEUES, withSession } from '../session.ts'
import { nobodyListens } from './queue.ts'
import type { Session } from '../session.ts'
import type { ServedQueues } from '../worker/served.ts'

/** One thing that is looked at, and how it is. */
interface Check {
  check: string
  /** Null where it is not known. */
  ok: boolean | null
  detail: string
}

/**
 * `health`: as `arq --check`, each queue's health key; with `--deep` everything that jobs depend on.
 *
 * @param served - look at this instead of what the configuration says.
 */
export function health(
  args: GlobalArgs & { queue?: readonly string[] | undefined; deep?: boolean | undefined; maxAge: number },
  served?: ServedQueues,
): Promise<number> {
  const look = async (session: Session) => {
    const { out } = session
    const queueNames = args.queue?.length ? args.queue : session.queueNames
    const checks = await Promise.all(queueNames.map((queueName) => lineCheck(session, queueName)))
    if (args.deep) {
      checks.push(...(await deepChecks(session, queueNames, args.maxAge)))
      // A user who names queues or one worker asks only about these.
      if (!args.queue?.length && !served) checks.push(...(await unservedChecks(session, queueNames)))
    }
    const ok = checks.every((check) => check.ok !== false)
    out.data({ ok, checks }, () => show(checks, out))
    return ok ? EXIT.ok : EXIT.no
  }
  return withSession(args, look, served ? { served } : {})
}

async function lineCheck({ client }: Session, queueName: string): Promise<Check> {
  const found = await client.workers.health(queueName)
  const check = `worker of ${showId(queueName)}`
  if (found) return { check, ok: true, detail: found.line }
  const workers = await client.workers.list()
  const served = [...new Set(workers.flatMap((worker) => worker.queues))].filter((name) => name !== queueName).sort()
  const elsewhere = served.length === 0 ? '' : `; live workers serve ${namesText(served)}`
  return {
    check,
    ok: false,
    detail: `health check failed: no health line of a live worker found; none runs, or its interval is over${elsewhere}`,
  }
}

async function deepChecks(session: Session, queueNames: readonly string[], maxAgeMs: number): Promise<Check[]> {
  const { client, address, nowMs } = session
  const started = performance.now()
  const workers = await client.workers.list()
  const checks: Check[] = [
    {
      check: 'redis',
      ok: true,
      detail: `${address} answered in ${Math.max(1, Math.round(performance.now() - started))} ms`,
    },
  ]
  for (const stats of await client.queues.statsOf(queueNames)) {
    const { queueName } = stats
    const here = workers.filter((worker) => worker.queues.includes(queueName))
    const slots = here.reduce((sum, worker) => sum + worker.maxJobs, 0)
    const alive = here.length > 0 || stats.python !== null
    const python = stats.python ? ', and Python' : ''
    checks.push({
      check: `workers of ${showId(queueName)}`,
      ok: alive,
      detail: alive ? `${here.length} of arq-ts with ${slots} slots${python}` : 'none',
    })
    const ageMs = stats.oldestDueMs === null ? 0 : nowMs - stats.oldestDueMs
    for (const problem of stats.problems)
      checks.push({ check: `keys of ${showId(queueName)}`, ok: false, detail: problem })
    checks.push({
      check: `oldest due job of ${showId(queueName)}`,
      ok: ageMs <= maxAgeMs && !stats.paused,
      detail: `${stats.oldestDueMs === null ? 'none waits' : `due ${spanText(ageMs)} ago, ${countText(stats.pending)} wait`}${stats.paused ? '; the queue is paused' : ''}`,
    })
  }
  const policy = (await client.doctor.examineServer()).find((finding) => finding.check === 'eviction-policy')
  // A warning says that it is not known.
  const isSafe = policy ? (policy.severity === 'error' ? false : null) : true
  checks.push({ check: 'eviction policy', ok: isSafe, detail: policy?.message ?? 'jobs are not evicted' })
  return checks
}

/** Queues other than the known ones that have jobs and no worker of either language. */
async function unservedChecks(session: Session, known: readonly string[]): Promise<Check[]> {
  const { client } = session
  const found = await client.queues.names({ ...searchOf(session), only: 'waiting' })
  const others = await client.queues.statsOf(found.names.filter((name) => !known.includes(name)))
  const checks = others.filter(nobodyListens).map(({ queueName, pending, deferred }): Check => {
    const jobs = pending > 0 ? `${countText(pending)} due` : `none due, ${countText(deferred)} deferred`
    // A queue that has only deferred jobs may have a worker when they are due.
    return { check: `workers of ${showId(queueName)}`, ok: pending > 0 ? false : null, detail: `none: ${jobs}` }
  })
  if (!found.complete) checks.push({ check: 'other queues', ok: null, detail: UNSEEN_QUEUES })
  return checks
}

function show(checks: readonly Check[], out: Output): void {
  for (const { check, ok, detail } of checks) {
    const mark = ok === null ? out.colors.yellow('?') : ok ? out.colors.green('✓') : out.colors.red('✗')
    out.line(`${mark} ${check}  ${out.colors.dim(detail)}`)
  }
}

/** A finding, and what became of its repair: null where none was tried. */
type Treated = Finding & { repaired: number | null; failure?: string }

/** Repairs bring others to light: a damaged payload, once put aside, leaves a job without one. */
const MAX_ROUNDS = 4

/** `doctor` */
export function doctor(
  args: GlobalArgs & { queue?: readonly string[] | undefined; fix?: boolean | undefined; limit?: number | undefined },
): Promise<number> {
  return withSession(args, async (session) => {
    const { client, out, address, queueNames: known } = session
    const progress = out.progress('jobs looked at')
    const keys = out.progress('keys looked at')
    const examine = () =>
      client.doctor.examine({
        known,
        onKeys: keys.update,
        ...(args.queue?.length ? { queues: args.queue } : {}),
        ...(args.limit === undefined ? {} : { limit: args.limit }),
        onProgress: progress.update,
      })
    let seen = await examine()
    const results: Treated[] = []
    for (let round = 0; args.fix && round < MAX_ROUNDS; round++) {
      const treated = await treat(session, seen.findings)
      results.push(...treated.filter((result) => result.repaired !== null))
      if (!treated.some((result) => (result.repaired ?? 0) > 0)) break
      seen = await examine()
    }
    progress.done()
    keys.done()
    const failed = new Map(
      results.filter((each) => each.failure !== undefined).map((each) => [keyOf(each), each.failure]),
    )
    const left = seen.findings.map((finding) => ({ ...finding, failure: failed.get(keyOf(finding)) }))
    const repaired = results.filter((each) => (each.repaired ?? 0) > 0)
    const { queueNames, jobs, incomplete } = seen
    const looked = { queues: queueNames.length, jobs }
    out.data({ findings: left, repaired, looked, complete: incomplete.length === 0, incomplete }, () => {
      for (const result of repaired) showRepaired(result, out)
      for (const finding of left) showFinding(finding, out, args.fix === true)
      const where = `${address}: ${counted(queueNames.length, 'queue')}, ${counted(jobs, 'job')} looked at`
      if (left.length === 0) out.line(`${out.colors.green('✓')} ${where}, nothing is wrong`)
      else out.note(where)
      for (const what of incomplete) out.note(`not looked at: ${what}`)
      if (!args.fix && left.some(({ repair }) => repair !== null)) out.note('--fix repairs what has an arrow')
    })
    return left.some(({ severity }) => severity === 'error') ? EXIT.no : EXIT.ok
  })
}

function keyOf({ check, queueName }: Finding): string {
  return `${check} ${queueName ?? ''}`
}

async function treat(session: Session, findings: readonly Finding[]): Promise<Treated[]> {
  const results: Treated[] = []
  for (const finding of findings) {
    if (finding.repair === null) results.push({ ...finding, repaired: null })
    else {
      try {
        const repaired = await audited(session, entryOf(finding), () => session.client.doctor.repair(finding))
        results.push({ ...finding, repaired })
      } catch (error) {
        results.push({ ...finding, repaired: 0, failure: (error as Error).message })
      }
    }
  }
  return results
}

function entryOf({ check, queueName, count, message }: Finding): AuditedAct {
  const about = queueName === null ? { kind: 'finding', names: [check] } : { kind: 'queue', names: [queueName] }
  return { action: 'repair', ...about, count, text: `repair "${check}": ${message}` }
}

function showRepaired(result: Treated, out: Output): void {
  const about = result.queueName === null ? '' : `${out.colors.bold(showId(result.queueName))}: `
  out.line(`${out.colors.green('✓')} ${about}${result.message}`)
  out.line(out.colors.green(`  → ${result.repair}: done for ${countText(result.repaired ?? 0)}`))
}

function showFinding(finding: Finding & { failure: string | undefined }, out: Output, isFixed: boolean): void {
  const { colors } = out
  const mark = finding.severity === 'error' ? colors.red('✗') : colors.yellow('!')
  out.line(
    `${mark} ${finding.queueName === null ? '' : `${colors.bold(showId(finding.queueName))}: `}${finding.message}`,
  )
  const names = finding.damaged.length > 0 ? finding.damaged.map(({ key }) => key) : finding.jobIds
  const named = names.slice(0, 5).map(showId).join(', ')
  const rest = finding.count > 5 && names.length > 5 ? ` and ${countText(finding.count - 5)} more` : ''
  if (named !== '') out.line(colors.dim(`    ${named}${rest}`))
  if (finding.failure !== undefined) out.line(colors.red(`  → could not ${finding.repair}: ${finding.failure}`))
  else if (finding.repair !== null)
    out.line(colors.dim(`  → ${finding.repair}${isFixed ? ': it came back, or changed meanwhile' : ''}`))
}
