import { OptionsError } from '../errors.ts'
import { LIMITS_REFUSED } from './services.ts'

interface Settings {
  partitions: number
  tasks: readonly { name: string; limits?: readonly unknown[] | undefined }[]
  cron: readonly { name: string; jobId: string | undefined; unique: boolean; missed: string; overlap: string }[]
}

/**
 * Refuses options that a worker of a partitioned namespace cannot keep exact: those that count or compare several jobs,
 * which may lie in different partitions.
 *
 * @throws OptionsError
 */
export function refuseUnspanned({ cron, partitions, tasks }: Settings): void {
  if (partitions === 1) return
  const limited = tasks.find(({ limits = [] }) => limits.length > 0)
  if (limited) throw new OptionsError(`Worker: task '${limited.name}' has limits: ${LIMITS_REFUSED}`)
  for (const { jobId, missed, name, overlap, unique } of cron) {
    if (missed === 'latest' && jobId !== undefined)
      throw new OptionsError(
        `Worker: cron job '${name}' with a \`jobId\` of its own cannot make up for missed ticks with \`partitions\`: its ticks lie with their id, and not with their record. Leave out \`jobId\` or \`missed: 'latest'\``,
      )
    if (overlap === 'skip' && !unique && jobId === undefined)
      throw new OptionsError(
        `Worker: cron job '${name}' with \`unique: false\` cannot skip overlaps with \`partitions\`: its ticks lie in different partitions. Leave out \`unique: false\` or \`overlap: 'skip'\``,
      )
  }
}
