import type { Bench } from '../bench.ts'
import { arqTs } from '../contenders.ts'
import type { Contender } from '../contenders.ts'
import { measureFloor } from '../floor.ts'
import type { Figures } from '../rounds.ts'

const JOBS = 50_000
const BATCH = 100

/** The floor stands in a table like a contender. */
export const FLOOR: Contender = { name: 'floor', launch: arqTs.launch }

/** Time that Redis alone takes to work jobs off, or to take them in. */
export async function floorOf(what: 'work' | 'enqueue', { server }: Bench): Promise<Figures> {
  const floor = await measureFloor(server, JOBS, BATCH)
  return { value: floor[`${what}PerSecond`], redisCpuUs: floor[`${what}RedisUs`] }
}
