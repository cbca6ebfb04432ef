import { checkOptions, Client, OptionsError } from '@arq-ts/core'
import type { ClientOptions, Logger } from '@arq-ts/core'
import { z } from 'zod'
import type { ActionName } from './api/types.ts'
import { hostName, isLoopback } from './http/guard.ts'
import type { AllowedHosts } from './http/guard.ts'
import type { TaskSources } from './tasks/sources.ts'
import type { Authenticator, DashboardUser } from './users/authenticators.ts'

/** Subject of a request, for `authorize`. */
export interface Resource {
  type:
    | 'dashboard'
    | 'job'
    | 'queue'
    | 'cron'
    | 'schedule'
    | 'flow'
    | 'limit'
    | 'error'
    | 'plan'
    | 'undo'
    | 'deployment'
    | 'cache'
    | 'deletion'
  /** Its id or name; '' for the dashboard as a whole. */
  name: string
}

/** A value of a job, on its way to the page. */
export interface RedactedValue {
  /** Positional arguments (an array), keyword arguments (an object), a result, an error or a line of a log (a string). */
  kind: 'args' | 'kwargs' | 'result' | 'error' | 'log'
  jobId: string
  functionName: string | null
  queueName: string | null
  value: unknown
}

/** Options of `createDashboard()`. */
export interface DashboardOptions {
  /** The client that it works with, which is not closed with it. Default: one of its own, by `connection`. */
  client?: Client
  /** Options of its own client: `redis`, `keyPrefix` and the like. Default: Redis on this machine. Excludes `client`. */
  connection?: ClientOptions
  /** Title of the installation. Default `arq-ts`. */
  title?: string
  /** Address of Redis as the page shows it, without a password. Default ''. */
  address?: string
  /** Path that it is mounted under, such as `/admin/queues`. Default '', the root. */
  basePath?: string
  /** Queues that are shown even while Redis has nothing of them. */
  queues?: readonly string[]
  /** Refuses every change, whoever asks. Default false. */
  readOnly?: boolean
  /**
   * Finds the user of a request: `bearer()`, `basic()`, `trustedProxy()`, or a function of your own. Without it, the
   * dashboard answers on loopback addresses alone, and everybody there is the operator.
   */
  authenticate?: Authenticator
  /**
   * Decides what a user may see (`view`) and do. Default: everything. Entries of lists are asked for by their own names and by
   * their queues; what belongs to a queue that the user may not see is left out of every answer.
   */
  authorize?: (user: DashboardUser, action: 'view' | ActionName, resource: Resource) => boolean | Promise<boolean>
  /**
   * Host names that it answers to in addition to loopback ones. With `authenticate` the default is any; without, no other host is
   * possible.
   */
  allowedHosts?: readonly string[]
  /** Replaces values before they are shown or searched. A value that it returns unchanged is shown. */
  redact?: (value: RedactedValue) => unknown
  /**
   * Instances of the task packages, for the pages of canaries, the cache and scheduled deletions. They are not closed with
   * the dashboard. Default: none; the pages say so.
   */
  tasks?: TaskSources
  /** Link to a trace, with `{traceId}` for its id. */
  traceUrl?: string
  /** Folder of the built pages. Default: those of the package. */
  assets?: string
  /** A pino logger, for failures of requests and the audit of changes. Default: silent. */
  logger?: Logger
}

const aFunction = z.custom<(...args: never[]) => unknown>((value) => typeof value === 'function', 'Expected a function')

/** An object of options; the client checks each of them. */
const isTable = (value: unknown) => Object.prototype.toString.call(value) === '[object Object]'

/** No promise of one, and no list. */
const isInstance = (value: unknown) =>
  typeof value === 'object' && value !== null && !(value instanceof Promise) && !Array.isArray(value)

const anInstance = z.custom<object>(isInstance, 'Expected an instance')

const schema = z.strictObject({
  client: z.instanceof(Client, { error: 'Expected a Client of @arq-ts/core' }).optional(),
  connection: z.custom<ClientOptions>(isTable, 'Expected options of a client').optional(),
  title: z.string().min(1).max(100).optional(),
  address: z.string().optional(),
  basePath: z.string().optional(),
  queues: z.array(z.string().min(1)).optional(),
  readOnly: z.boolean().optional(),
  authenticate: aFunction.optional(),
  authorize: aFunction.optional(),
  allowedHosts: z.array(z.string().min(1)).optional(),
  redact: aFunction.optional(),
  tasks: z
    .strictObject({
      deployments: anInstance.optional(),
      cache: anInstance.optional(),
      deletions: anInstance.optional(),
    })
    .optional(),
  traceUrl: z.string().optional(),
  assets: z.string().optional(),
  logger: z
    .custom<Logger>(
      (value) => typeof (value as { child?: unknown } | null)?.child === 'function',
      'Expected a pino logger',
    )
    .optional(),
})

/** Options with their defaults, and what follows from them. */
export interface Settings extends DashboardOptions {
  title: string
  address: string
  basePath: string
  queues: readonly string[]
  readOnly: boolean
  tasks: TaskSources
  hosts: AllowedHosts
}

/** Checks the options. @throws OptionsError */
export function settingsOf(options: DashboardOptions): Settings {
  checkOptions('createDashboard', schema, options)
  if (options.client && options.connection) {
    throw new OptionsError('createDashboard: use either `client` or `connection`, not both')
  }
  return {
    ...options,
    title: options.title ?? 'arq-ts',
    address: options.address ?? '',
    basePath: basePathOf(options.basePath ?? ''),
    queues: options.queues ?? [],
    readOnly: options.readOnly ?? false,
    tasks: options.tasks ?? {},
    hosts: hostsOf(options),
  }
}

/** A base path without a slash at its end. @throws OptionsError */
export function basePathOf(path: string): string {
  const base = path.replace(/\/+$/, '')
  if (base === '' || /^(\/[A-Za-z0-9._~-]+)+$/.test(base)) return base
  throw new OptionsError(
    `createDashboard: Expected \`basePath\` to be a path such as '/admin/queues' of letters, digits and ._~-, got ${JSON.stringify(path)}`,
  )
}

function hostsOf({ allowedHosts, authenticate }: DashboardOptions): AllowedHosts {
  if (allowedHosts === undefined) return authenticate ? 'any' : new Set()
  const names = allowedHosts.map((host) => {
    const name = hostName(host)
    if (name === null) throw new OptionsError(`createDashboard: \`allowedHosts\` has "${host}", which is no host name`)
    return name
  })
  const foreign = names.find((name) => !isLoopback(name))
  if (foreign !== undefined && !authenticate) {
    throw new OptionsError(
      `createDashboard: the host "${foreign}" needs authentication: whoever reaches it could change jobs; give \`authenticate\``,
    )
  }
  return new Set(names)
}
