import { useEffect, useState } from 'preact/hooks'
import type { Plan } from '@arq-ts/dashboard/api'
import { type ApiFailure, makePlan, runPlan } from '../api/client.ts'
import { digits, number } from '../format/number.ts'
import { clock, clockSeconds, moment } from '../format/time.ts'
import { short, shown } from '../format/names.ts'
import { planned } from '../state/plan.ts'
import { session } from '../state/session.ts'
import { Icon } from '../ui/icon.tsx'
import { Failure, Segmented, Waiting } from '../ui/parts.tsx'
import { ActFoot, Sheet } from '../ui/sheet.tsx'
import { Mark } from '../ui/status.tsx'
import { noteChange, say, sayFailure } from './toasts.tsx'

const minute = 60_000
const spreads = [
  ['0', 'At once'],
  ['600000', 'Over 10 min'],
  ['3600000', 'Over 1 h'],
] as const

/** A frozen plan: its count, what it leaves alone, its cost and the limits of its undo. */
export function PlanSheet() {
  const { request, verb } = planned.value!
  const [plan, setPlan] = useState<Plan | null>(null)
  const [failure, setFailure] = useState<ApiFailure | null>(null)
  const [spread, setSpread] = useState<(typeof spreads)[number][0]>('0')
  const [running, setRunning] = useState(false)
  const [toQueue, setToQueue] = useState('')
  const close = () => (planned.value = null)
  const undecided = request.action === 'move' && toQueue === ''

  useEffect(() => {
    setPlan(null)
    setFailure(null)
    if (undecided) return
    // The answer for an earlier choice may come after that for a later one.
    let stale = false
    const body = { ...request, ...(spread !== '0' && { spreadMs: Number(spread) }), ...(toQueue && { toQueue }) }
    makePlan(body).then(
      (made) => stale || setPlan(made),
      (error: unknown) => stale || setFailure(error as ApiFailure),
    )
    return () => void (stale = true)
  }, [spread, toQueue])

  const run = () => {
    if (!plan) return
    setRunning(true)
    runPlan(plan.token).then(
      (outcome) => {
        say(outcome.message, { undo: outcome.undo, shape: outcome.done > 0 ? 'on-time' : 'warning' })
        noteChange()
        close()
      },
      (error: unknown) => {
        sayFailure(error)
        setRunning(false)
      },
    )
  }
  const left = plan?.leftAlone.reduce((sum, one) => sum + one.count, 0) ?? 0
  const title = plan
    ? left
      ? `${verb} ${number(plan.count)} of ${digits(plan.count + left, 'job')}?`
      : `${verb} ${digits(plan.count, 'job')}?`
    : `${verb} jobs?`
  return (
    <Sheet
      title={title}
      lede="Dry run. Nothing has changed yet."
      close={close}
      foot={
        <ActFoot
          verb={plan ? `${verb} ${digits(plan.count, 'job')}` : verb}
          run={run}
          disabled={!plan || plan.count === 0 || running}
          close={close}
        />
      }
    >
      {request.action === 'move' && <Target value={toQueue} pick={setToQueue} />}
      {failure && <Failure of={failure} />}
      {undecided && <p class="muted">Choose a queue; the plan follows.</p>}
      {!plan && !failure && !undecided && <Waiting />}
      {plan && <Body plan={plan} />}
      {plan && request.action === 'retry' && (
        <>
          <h3>When</h3>
          <Segmented label="When" options={spreads} value={spread} pick={setSpread} />
        </>
      )}
      {plan && <Foot plan={plan} />}
    </Sheet>
  )
}

/** The queue that jobs move to: a known one, or any other by its name. */
function Target({ value, pick }: { value: string; pick: (queue: string) => void }) {
  const [other, setOther] = useState(false)
  const queues = session.value?.queues ?? []
  return (
    <>
      <h3>To</h3>
      <div class="targets" role="group" aria-label="Queue to move to">
        {queues.map((name) => (
          <button
            key={name}
            type="button"
            class="chip"
            aria-pressed={!other && name === value}
            onClick={() => {
              setOther(false)
              pick(name)
            }}
          >
            {shown(name)}
          </button>
        ))}
        <button
          type="button"
          class="chip"
          aria-pressed={other}
          onClick={() => {
            setOther(true)
            pick('')
          }}
        >
          Another …
        </button>
      </div>
      {other && (
        <label class="labelled">
          Name of the queue
          <input
            class="field"
            autocomplete="off"
            spellcheck={false}
            onChange={(event) => pick(event.currentTarget.value.trim())}
          />
        </label>
      )}
    </>
  )
}

function Body({ plan }: { plan: Plan }) {
  return (
    <>
      <div class="tally">
        <div>
          <span>{plan.title}</span>
          <b class="num">{number(plan.count)}</b>
        </div>
        {plan.leftAlone.map(({ reason, count }) => (
          <div key={reason}>
            <span>Left alone: {reason}</span>
            <span class="num">{number(count)}</span>
          </div>
        ))}
      </div>
      <p class="note-line">
        <Icon name="lock" />
        <span>
          <b>Frozen at {clockSeconds(plan.frozenAtMs)}.</b> The plan touches these {digits(plan.count, 'job')} alone. A
          job that comes later is not part of it.
        </span>
      </p>
      {!plan.complete && (
        <p class="note-line">
          <Mark shape="warning" />
          <span>The search stopped at its bound; more jobs may fit. Run the plan, then make another.</span>
        </p>
      )}
      {plan.warnings.map((warning) => (
        <p class="note-line" key={warning}>
          <Mark shape="warning" />
          <span>{warning}</span>
        </p>
      ))}
    </>
  )
}

function Foot({ plan }: { plan: Plan }) {
  return (
    <>
      {plan.examples.length > 0 && (
        <>
          <h3>
            {plan.examples.length < plan.count
              ? `First ${plan.examples.length} of ${number(plan.count)}`
              : 'All of them'}
          </h3>
          <table>
            <tbody>
              {plan.examples.map((job) => (
                <tr key={job.jobId}>
                  <td class="mono name" title={shown(job.jobId)}>
                    {short(job.jobId, 20)}
                  </td>
                  <td class="clip muted">{job.call || job.functionName}</td>
                  <td class="n fade">{job.enqueuedMs === null ? '' : moment(job.enqueuedMs, plan.frozenAtMs)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </>
      )}
      <p class="note-line">
        <Icon name="undo-2" />
        <span>
          {plan.undo.possible ? (
            <b>You can undo it until {clock(plan.frozenAtMs + 15 * minute)}</b>
          ) : (
            <b>It cannot be undone</b>
          )}
          {plan.undo.limits ? `: ${plan.undo.limits}` : '.'}
        </span>
      </p>
      <p class="note-line">
        <Icon name="clock" />
        <span>
          Takes about {digits(plan.estimate.commands, 'command')} of Redis. The plan expires at{' '}
          {clock(plan.expiresAtMs)}.
        </span>
      </p>
    </>
  )
}
