import { cpus, release, totalmem } from 'node:os'
import type { BenchServer } from './server.ts'

/** Place and time of a run. */
export interface Machine {
  at: string
  cpu: string
  cores: number
  memoryGiB: number
  system: string
  node: string
  server: string
}

export async function describeMachine(server: BenchServer): Promise<Machine> {
  const all = cpus()
  return {
    at: new Date().toISOString(),
    cpu: all[0]?.model.trim() ?? 'unknown',
    cores: all.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${release()}`,
    node: process.version,
    server: await server.version(),
  }
}
