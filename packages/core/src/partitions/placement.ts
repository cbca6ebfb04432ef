/** Maps a job to its partition: a pure function of the id, the same in every process and every version. */

import { OptionsError } from '../errors.ts'
import { keySlot, SLOTS } from '../redis/key-kinds.ts'

/** Largest number of partitions of one namespace. */
export const MAX_PARTITIONS = 256
/** `:` and a time in unix ms: the end of the ids of ticks. */
const TICK_LENGTH = 14

/** The places of one namespace: the prefixes of its partitions, and the partition of each id. */
export class Placement {
  /** Prefix of the keys of each partition. */
  readonly prefixes: readonly string[]

  /** @throws OptionsError where the prefix has no hash tag, or more than one. */
  constructor(keyPrefix: string, partitions: number) {
    const [, before, tag, after] = /^([^{}]*)\{([^{}]+)\}([^{}]*)$/.exec(keyPrefix) ?? []
    if (tag === undefined) {
      throw new OptionsError(
        `\`partitions: ${partitions}\` needs a \`keyPrefix\` with one hash tag, such as '{orders}:', got '${keyPrefix}': each partition has a hash tag of its own. Python's key names are fixed, so queues that Python workers share cannot be partitioned`,
      )
    }
    this.prefixes = Array.from({ length: partitions }, (_, i) => `${before}{${tagOf(tag, i, partitions)}}${after}`)
  }

  /**
   * The partition of a job by its id, or of anything else by its name: its slot in Redis Cluster, modulo the number of
   * partitions. Ticks of one cron job or schedule, `<name>:<unix ms>`, lie together.
   */
  of(id: string): number {
    return keySlot(isTick(id) ? id.slice(0, -TICK_LENGTH) : id) % this.prefixes.length
  }

  /** Draws ids until one lies with `key`: as many as there are partitions, on average. */
  drawWith(key: string, draw: () => string): string {
    const wanted = this.of(key)
    for (;;) {
      const id = draw()
      if (this.of(id) === wanted) return id
    }
  }
}

/**
 * The hash tag of a partition. The slots of N tags are spread as evenly as the slots of N nodes: the tag gets the first
 * suffix that puts its slot into the middle half of the partition's share.
 */
function tagOf(tag: string, index: number, partitions: number): string {
  const share = SLOTS / partitions
  for (let attempt = 0; ; attempt++) {
    const name = `${tag}:${index}/${partitions}${attempt === 0 ? '' : `.${attempt}`}`
    const within = keySlot(name) / share - index
    if (within >= 0.25 && within < 0.75) return name
  }
}

function isTick(id: string): boolean {
  const at = id.length - TICK_LENGTH
  if (at < 1 || id[at] !== ':') return false
  for (let i = at + 1; i < id.length; i++) {
    const digit = id.charCodeAt(i)
    if (digit < 48 || digit > 57) return false
  }
  return true
}
