import { ArqError } from '@arq-ts/core'

/** A key was not changed: each of many attempts met another writer of the key. Nothing was written. */
export class CacheBusyError extends ArqError {
  readonly code = 'ARQ_CACHE_BUSY'

  constructor(key: string, attempts: number) {
    super(
      `'${key}' was not changed: each of ${attempts} attempts met another writer of the key; write it less often, or by ` +
        'fewer processes at once',
    )
  }
}

/** As many keys wait to be persisted as `maxPending` allows, and none became free within `pendingWaitMs`. Nothing was written. */
export class CacheFullError extends ArqError {
  readonly code = 'ARQ_CACHE_FULL'
  /** Keys that may wait at most. */
  readonly maxPending: number

  constructor(key: string, maxPending: number, waitedMs: number) {
    super(
      `'${key}' was not written: ${maxPending} keys wait to be persisted, as many as \`maxPending\` allows, and none became ` +
        `free within ${waitedMs} ms; see whether the workers keep up (arq-ts cache ls), or raise \`maxPending\``,
    )
    this.maxPending = maxPending
  }
}
