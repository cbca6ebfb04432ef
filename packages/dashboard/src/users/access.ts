import type { ActionName, ApiUser } from '../api/types.ts'
import { Refusal } from '../http/refusal.ts'
import type { Resource, Settings } from '../options.ts'
import type { DashboardUser } from './authenticators.ts'
import type { Sight } from './sight.ts'

/** Every action that a user may be allowed. */
export const ACTIONS = [
  'enqueue',
  'retry',
  'abort',
  'remove',
  'clone',
  'run-now',
  'move',
  'pause',
  'resume',
  'run-cron',
  'mute',
  'resolve',
  'reopen',
  'repair',
  'steer-canary',
  'flush',
  'cancel-deletion',
  'cancel-flow',
  'replay-flow',
  'put-schedule',
  'remove-schedule',
  'run-schedule',
  'set-limit',
] as const satisfies readonly ActionName[]

/** The user of a dashboard without authentication: whoever sits at the machine. */
const OPERATOR: DashboardUser = { name: 'operator' }

/** Permission that a handler needs: a view, one action, or `later`: it asks itself, once it knows the action. */
export interface Guarded {
  action: 'view' | ActionName | 'later'
  resource: (params: Readonly<Record<string, string>>) => Resource
}

/** A user, and what decides what they may see: a part of the context of a request. */
export interface Viewer {
  user: DashboardUser
  access: Access
  /** Everything that a list shows to the user. */
  sight: Sight
}

/** Users and their rights. Every request passes here, whatever the page has offered. */
export class Access {
  readonly #settings: Settings

  constructor(settings: Settings) {
    this.#settings = settings
  }

  /** False where everybody may see everything. */
  get isLimited(): boolean {
    return this.#settings.authorize !== undefined
  }

  /** The user of a request. @throws Refusal */
  async userOf(request: Request): Promise<DashboardUser> {
    const { authenticate } = this.#settings
    if (!authenticate) return OPERATOR
    const user = await authenticate(request)
    // Whatever a function of the application returns: without a name there is nobody to hold to account.
    if (user && typeof user.name === 'string' && user.name !== '') return user
    const headers = authenticate.challenge === undefined ? {} : { 'www-authenticate': authenticate.challenge }
    throw new Refusal('unauthenticated', 'the dashboard does not know you; sign in', headers)
  }

  /** Refuses a user who has no right to what a handler does. @throws Refusal */
  async mayUse(user: DashboardUser, guarded: Guarded, params: Readonly<Record<string, string>>): Promise<void> {
    if (guarded.action === 'later') {
      if (this.#settings.readOnly) throw readOnly()
      return this.must(user, 'view', guarded.resource(params))
    }
    return this.must(user, guarded.action, guarded.resource(params))
  }

  /** @throws Refusal unless the user may. */
  async must(user: DashboardUser, action: 'view' | ActionName, resource: Resource): Promise<void> {
    if (action !== 'view' && this.#settings.readOnly) throw readOnly()
    if (await this.may(user, action, resource)) return
    const what = resource.name === '' ? 'the dashboard' : `the ${resource.type} "${resource.name}"`
    const verb = action === 'view' ? 'see' : action
    throw new Refusal('forbidden', `"${user.name}" may not ${verb} ${what}; ask whoever runs this dashboard`)
  }

  /** True where the user may. */
  async may(user: DashboardUser, action: 'view' | ActionName, resource: Resource): Promise<boolean> {
    if (action !== 'view' && this.#settings.readOnly) return false
    const { authorize } = this.#settings
    // Nothing but `true` lets somebody in, whatever a function of the application returns.
    return authorize === undefined || Object.is(await authorize(user, action, resource), true)
  }

  /** The actions that the user may perform at all, of these. */
  async actionsOf<A extends ActionName>(
    user: DashboardUser,
    resource: Resource,
    of: readonly A[] = ACTIONS as unknown as readonly A[],
  ): Promise<A[]> {
    const allowed = await Promise.all(of.map((action) => this.may(user, action, resource)))
    return of.filter((_, i) => allowed[i])
  }
}

/** A user as the page shows it. */
export function shownUser(user: DashboardUser): ApiUser {
  return { name: user.name, role: user.role ?? null }
}

function readOnly(): Refusal {
  return new Refusal('read_only', 'this dashboard is read-only: it changes nothing, whoever asks')
}
