import { familiesOf } from '@arq-ts/protocol/flows'
import type { Link } from '../redis/link.ts'
import { readSnapshot } from './definition.ts'

/** The flow that holds a job, by what `arq:held` says of it: its name and id, and the members before the job that are open. */
export async function waitOf(link: Link, held: string): Promise<{ about: string; waitsFor: string[] }> {
  const [flowId = '', key = ''] = held.split(' ')
  const snapshot = readSnapshot(flowId, await link.flowRecords.read(flowId))
  if (!snapshot) return { about: flowId, waitsFor: [] }
  const { members, name, open } = snapshot
  const families = familiesOf(open)
  const before = (members.get(key)?.after ?? []).flatMap((parent) => families.get(parent) ?? [])
  return { about: `${name} ${flowId}`, waitsFor: before.map((each) => members.get(each)?.definition.name ?? each) }
}
