import type { Finding } from '@arq-ts/core'
import type { GlobalArgs } from '../args.ts'
import { EXIT } from '../exit.ts'
import { countText, spanText } from '../output.ts'
import type { Output } from '../output.ts'
import { withSession } from '../session.ts'
import type { Session } from '../session.ts'
import type { Served } from '../worker/served.ts'

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
  served?: Served,
): Promise<number> {
  const look = async (session: Session) => {
    const { out } = session
    const queueNames = args.queue?.length ? args.queue : session.queueNames
    const checks = await Promise.all(queueNames.map((queueName) => lineCheck(session, queueName)))
    if (args.deep) checks.push(...(await deepChecks(session, queueNames, args.maxAge)))
    const ok = checks.every((check) => check.ok !== false)
    out.data({ ok, checks }, () => show(checks, out))
    return ok ? EXIT.ok : EXIT.no
  }
  return withSession(args, look, served ? { served } : {})
}

async function lineCheck({ client }: Session, queueName: string): Promise<Check> {
  const told = await client.inspector.health(queueName)
  const check = `worker of ${queueName}`
  if (told) return { check, ok: true, detail: told.line }
  const workers = await client.inspector.workers()
  const served = [...new Set(workers.flatMap((worker) => worker.queues))].filter((name) => name !== queueName).sort()
  const elsewhere = served.length === 0 ? '' : `; live workers serve ${served.join(', ')}`
  return {
    check,
    ok: false,
    detail: `health check failed: no health line found; no worker runs, or its interval is over${elsewhere}`,
  }
}

async function deepChecks(session: Session, queueNames: readonly string[], maxAgeMs: number): Promise<Check[]> {
  const { client, address, nowMs } = session
  const started = performance.now()
  const workers = await client.inspector.workers()
  const checks: Check[] = [
    {
      check: 'redis',
      ok: true,
      detail: `${address} answered in ${Math.max(1, Math.round(performance.now() - started))} ms`,
    },
  ]
  for (const queueName of queueNames) {
    const stats = await client.queues.stats(queueName)
    const here = workers.filter((worker) => worker.queues.includes(queueName))
    const slots = here.reduce((sum, worker) => sum + worker.maxJobs, 0)
    const alive = here.length > 0 || stats.python !== null
    const python = stats.python ? ', and Python' : ''
    checks.push({
      check: `workers of ${queueName}`,
      ok: alive,
      detail: alive ? `${here.length} of arq-ts with ${slots} slots${python}` : 'none',
    })
    const ageMs = stats.oldestDue === null ? 0 : nowMs - stats.oldestDue.getTime()
    checks.push({
      check: `oldest due job of ${queueName}`,
      ok: ageMs <= maxAgeMs && !stats.paused,
      detail: `${stats.oldestDue === null ? 'none waits' : `due ${spanText(ageMs)} ago, ${countText(stats.pending)} wait`}${stats.paused ? '; the queue is paused' : ''}`,
    })
  }
  const findings = await client.doctor.examine({ queues: [], limit: 0 })
  const policy = findings.find((finding) => finding.check === 'eviction-policy')
  // A warning says that the server does not tell.
  const isSafe = policy ? (policy.severity === 'error' ? false : null) : true
  checks.push({ check: 'eviction policy', ok: isSafe, detail: policy?.message ?? 'jobs are not evicted' })
  return checks
}

function show(checks: readonly Check[], out: Output): void {
  for (const { check, ok, detail } of checks) {
    const mark = ok === null ? out.colors.yellow('?') : ok ? out.colors.green('✓') : out.colors.red('✗')
    out.line(`${mark} ${check}  ${out.colors.dim(detail)}`)
  }
}

/** `doctor` */
export function doctor(
  args: GlobalArgs & { queue?: readonly string[] | undefined; fix?: boolean | undefined; limit?: number | undefined },
): Promise<number> {
  return withSession(args, async ({ client, out, address }) => {
    const findings = await client.doctor.examine({
      ...(args.queue?.length ? { queues: args.queue } : {}),
      ...(args.limit === undefined ? {} : { limit: args.limit }),
    })
    const results: (Finding & { mended: number | null; failure?: string })[] = []
    for (const finding of findings) {
      if (!args.fix || finding.repair === null) results.push({ ...finding, mended: null })
      else {
        try {
          results.push({ ...finding, mended: await client.doctor.repair(finding) })
        } catch (error) {
          results.push({ ...finding, mended: 0, failure: (error as Error).message })
        }
      }
    }
    out.data(results, () => {
      if (results.length === 0) out.line(`${out.colors.green('✓')} ${address}: nothing is wrong`)
      for (const result of results) showFinding(result, out)
      if (!args.fix && results.some((result) => result.repair !== null)) out.note('--fix mends what has an arrow')
    })
    const left = results.filter((result) => result.severity === 'error' && !(result.mended !== null && !result.failure))
    return left.length === 0 ? EXIT.ok : EXIT.no
  })
}

function showFinding(result: Finding & { mended: number | null; failure?: string }, out: Output): void {
  const { colors } = out
  const mark = result.severity === 'error' ? colors.red('✗') : colors.yellow('!')
  out.line(`${mark} ${result.queueName === null ? '' : `${colors.bold(result.queueName)}: `}${result.message}`)
  const named = result.jobIds.slice(0, 5).join(', ')
  const rest = result.jobIds.length > 5 ? ` and ${countText(result.jobIds.length - 5)} more` : ''
  if (named !== '') out.line(colors.dim(`    ${named}${rest}`))
  if (result.failure !== undefined) out.line(colors.red(`  → could not ${result.repair}: ${result.failure}`))
  else if (result.mended !== null) out.line(colors.green(`  → ${result.repair}: done for ${countText(result.mended)}`))
  else if (result.repair !== null) out.line(colors.dim(`  → ${result.repair}`))
}
