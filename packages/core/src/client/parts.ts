import type { CodecName } from '@arq-ts/protocol/jobs'
import type { JobEvent } from '../fleet/events.ts'
import { createDeferredLogger } from '../logging/deferred-logger.ts'
import { guardedLogger } from '../logging/guarded-logger.ts'
import type { Middleware } from '../middleware/middleware.ts'
import { resolveClientOptions } from '../options/client.ts'
import type { ClientOptions } from '../options/client.ts'
import { openLinkTo } from '../partitions/partitioned-context.ts'
import type { RedisContext } from '../redis/context.ts'

/** Parts of a client. */
interface Parts {
  link: RedisContext
  codec: CodecName
  queueName: string
  middleware: readonly Middleware[]
  onEnqueued?: (job: JobEvent) => void
}

/** The parts of a client with a connection of its own. @throws OptionsError */
export function openLink(options: ClientOptions): Parts {
  const settings = resolveClientOptions(options)
  const { redis, keyPrefix, expiresExtraMs, commandTimeoutMs: timeoutMs, queueName, codec, middleware } = settings
  const { maxDecodedBytes, maxPayloadBytes, partitions, spinForReplies } = settings
  const limits = { maxDecodedBytes, maxPayloadBytes }
  const log = settings.logger
    ? guardedLogger(settings.logger)
    : createDeferredLogger(settings.logLevel === undefined ? {} : { level: settings.logLevel })
  const link = openLinkTo({ redis, keyPrefix, partitions, expiresExtraMs, limits, log, timeoutMs, spinForReplies })
  return { link, queueName, codec, middleware }
}

/** Connection of a worker as it is handed to the client of its handlers. */
export class SharedContext implements Parts {
  readonly link: RedisContext
  readonly codec: CodecName
  readonly queueName: string
  readonly middleware: readonly Middleware[]
  readonly onEnqueued: (job: JobEvent) => void

  constructor(link: RedisContext, options: Pick<SharedContext, 'codec' | 'queueName' | 'middleware' | 'onEnqueued'>) {
    this.link = link
    this.codec = options.codec
    this.queueName = options.queueName
    this.middleware = options.middleware
    this.onEnqueued = options.onEnqueued
  }
}
