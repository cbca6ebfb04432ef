import { showId } from '@arq-ts/protocol/jobs'
import { FlowError } from '@arq-ts/core/client'
import type { FlowMemberStatus, FlowRun, FlowStatus, ListedFlow } from '@arq-ts/core'
import type { GlobalArgs } from '../args.ts'
import { audited } from '../audit.ts'
import { confirmed } from '../confirm.ts'
import type { BulkArgs } from '../confirm.ts'
import { CommandError, EXIT } from '../exit.ts'
import { drawFlow, markOf } from '../flow-graph.ts'
import { counted, countText, instantText, whenText } from '../output.ts'
import type { Column, Output } from '../output.ts'
import { withSession } from '../session.ts'
import type { Session } from '../session.ts'

/** Time between two looks of `--watch`, in ms. */
const WATCH_MS = 1_000

const columns = (nowMs: number): readonly Column<ListedFlow>[] => [
  { title: 'flow', cell: ({ name }) => showId(name), min: 8 },
  { title: 'state', cell: ({ state }) => state },
  {
    title: 'ended',
    cell: ({ members, open }) => `${countText(Math.max(0, members - open))} of ${countText(members)}`,
    align: 'right',
  },
  { title: 'started', cell: ({ startedAt }) => whenText(startedAt, nowMs), drop: 1 },
  { title: 'id', cell: ({ flowId }) => showId(flowId), min: 8 },
]

/** `flow ls` */
export function list(args: GlobalArgs & { limit: number }): Promise<number> {
  return withSession(args, async ({ client, nowMs, out }) => {
    // One more than is shown reveals whether there are others.
    const found = await client.flows.list({ limit: args.limit + 1 })
    const isMore = found.length > args.limit
    const incomplete = isMore ? [`the newest ${countText(args.limit)}; --limit shows more`] : []
    out.list(found.slice(0, args.limit), columns(nowMs), { name: 'flows', none: 'there are no flows', incomplete })
    return EXIT.ok
  })
}

/** `flow show` */
export function show(args: GlobalArgs & { id: string; watch?: boolean | undefined }): Promise<number> {
  return withFlow(args, async (run, session) => {
    let status = await run.status()
    let shown = ''
    for (;;) {
      // On a terminal each picture takes the place of the one before it; elsewhere only what has changed is written.
      const picture = JSON.stringify(status)
      if (picture !== shown) {
        if (args.watch && session.io.stdout.isTTY && !session.out.json) session.io.stdout.write('\u001B[H\u001B[2J')
        write(session.out, status, await session.client.now())
      }
      shown = picture
      if (!args.watch || status.endedAt !== null) break
      await new Promise((resolve) => setTimeout(resolve, WATCH_MS))
      status = await run.status()
    }
    return status.state === 'failed' ? EXIT.no : EXIT.ok
  })
}

/** `flow cancel` */
export function cancel(args: GlobalArgs & BulkArgs & { id: string }): Promise<number> {
  return withFlow(args, async (run, session) => {
    const { out } = session
    const { endedAt, members, name, state: before } = await run.status()
    if (endedAt !== null) throw new CommandError(`flow '${name}' has ended already`, EXIT.no)
    const open = members.filter(isOpen).length
    if (!(await confirmed(`cancel flow '${name}': ${counted(open, 'member')} that have not ended`, args, out))) {
      out.data({ flowId: run.flowId, state: before, dryRun: args.dryRun === true }, () => {})
      return EXIT.ok
    }
    const entry = { action: 'cancel-flow', kind: 'flow', names: [run.flowId], text: `cancel the flow "${name}"` }
    await audited(session, entry, () => run.cancel())
    const { state } = await run.status()
    out.data({ flowId: run.flowId, state, dryRun: false }, () =>
      out.line(
        state === 'cancelled'
          ? `flow '${name}' is cancelled`
          : `flow '${name}' is being cancelled: what runs was asked to abort`,
      ),
    )
    return EXIT.ok
  })
}

/** `flow replay` */
export function replay(args: GlobalArgs & BulkArgs & { id: string; failed?: boolean | undefined }): Promise<number> {
  return withFlow(args, async (run, session) => {
    const { out } = session
    const { endedAt, name, state: before } = await run.status()
    if (endedAt === null)
      throw new CommandError(`flow '${name}' has not ended: cancel it, or wait for its end`, EXIT.no)
    const what = args.failed ? 'what did not succeed' : 'all members'
    if (!(await confirmed(`replay flow '${name}': ${what}`, args, out))) {
      out.data({ flowId: run.flowId, state: before, open: 0, dryRun: args.dryRun === true }, () => {})
      return EXIT.ok
    }
    const text = `replay the flow "${name}": ${what}`
    const entry = { action: 'replay-flow', kind: 'flow', names: [run.flowId], text }
    await audited(session, entry, () => run.replay({ only: args.failed ? 'failed' : 'all' }))
    const { members, state } = await run.status()
    const open = members.filter(isOpen).length
    out.data({ flowId: run.flowId, state, open, dryRun: false }, () =>
      out.line(`flow '${name}' runs again: ${counted(open, 'member')}`),
    )
    return EXIT.ok
  })
}

/** A flow that is not there is an answer. */
function withFlow(
  args: GlobalArgs & { id: string },
  work: (run: FlowRun, session: Session) => Promise<number>,
): Promise<number> {
  return withSession(args, async (session) => {
    try {
      return await work(session.client.flows.get(args.id), session)
    } catch (error) {
      if (error instanceof FlowError) throw new CommandError(error.message, EXIT.no)
      throw error
    }
  })
}

function write(out: Output, status: FlowStatus, nowMs: number): void {
  out.data(status, () => {
    const { endedAt, flowId, members, name, startedAt, state } = status
    const ended = members.filter((member) => !isOpen(member)).length
    out.fields([
      ['flow', name],
      ['id', flowId],
      ['state', `${state}, ${countText(ended)} of ${counted(members.length, 'member')} ended`],
      ['started', instantText(startedAt, nowMs)],
      ['ended', instantText(endedAt, nowMs)],
    ])
    out.line('')
    const drawn = drawFlow(status)
    const width = drawn.reduce((most, { branch, name: each }) => Math.max(most, branch.length + each.length), 0)
    for (const { branch, detail, name: each, state: at } of drawn) {
      const gap = ' '.repeat(width - branch.length - each.length)
      out.line(`${markOf(at)} ${branch}${each}${gap}  ${at.padEnd(9)}  ${out.colors.dim(detail)}`.trimEnd())
    }
  })
}

/** True for a member that has not ended. */
function isOpen({ state }: FlowMemberStatus): boolean {
  return ['held', 'ready', 'queued', 'running'].includes(state)
}
