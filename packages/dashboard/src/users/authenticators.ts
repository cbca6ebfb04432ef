import { createHash, timingSafeEqual } from 'node:crypto'
import { checkOptions, OptionsError } from '@arq-ts/core'
import { z } from 'zod'

/** A user of the dashboard. */
export interface DashboardUser {
  /** Name shown in the page and written to the audit log. */
  name: string
  /** Role shown with the name, for `authorize` to decide by. */
  role?: string
}

/**
 * Finds the user of a request; null refuses it with 401. `challenge` is sent as `WWW-Authenticate` then, so that a browser
 * asks for a password.
 */
export interface Authenticator {
  (request: Request): DashboardUser | null | Promise<DashboardUser | null>
  challenge?: string
}

const userSchema = z.strictObject({ name: z.string().min(1), role: z.string().optional() })
const passwordSchema = z.strictObject({ password: z.string(), role: z.string().optional() })
const proxySchema = z.strictObject({
  userHeader: z.string().min(1).optional(),
  roleHeader: z.string().min(1).optional(),
  secretHeader: z.string().min(1).optional(),
  secret: z.string(),
})

/** Entries of a table with names of the caller's choice; no message shows a name, since it may be a token. */
function entriesOf<S extends z.ZodObject>(where: string, schema: S, table: unknown): [string, z.output<S>][] {
  const isTable = Object.prototype.toString.call(table) === '[object Object]'
  // An object without any known option: core describes it.
  if (!isTable) checkOptions(where, schema, table)
  return Object.entries(table as object).map(([name, each]) => [name, checkOptions(`${where}, an entry`, schema, each)])
}

/**
 * Lets in who sends one of these tokens as `Authorization: Bearer …`: for programs, and for browsers behind a proxy that
 * adds it. Every token is compared in constant time.
 *
 * @throws OptionsError when there is no token, or one has fewer than 16 characters.
 */
export function bearer(tokens: Readonly<Record<string, DashboardUser>>): Authenticator {
  const entries = entriesOf('bearer', userSchema, tokens) as [string, DashboardUser][]
  const known = entries.map(([token, user]) => ({ digest: digestOf(token), user }))
  if (known.length === 0) throw new OptionsError('bearer: expected at least one token')
  if (Object.keys(tokens).some((token) => token.length < 16)) {
    throw new OptionsError('bearer: expected every token to have at least 16 characters')
  }
  const authenticate: Authenticator = (request) => {
    const [, token] = /^Bearer +(\S+)$/i.exec(request.headers.get('authorization') ?? '') ?? []
    return token === undefined ? null : userOf(known, digestOf(token))
  }
  return Object.assign(authenticate, { challenge: 'Bearer realm="arq-ts"' })
}

/**
 * Lets in who signs in with a name and a password, for which the browser asks. Use it over TLS: a password is sent with
 * every request. Every entry is compared in constant time.
 *
 * @throws OptionsError when there is no user, or a password is empty.
 */
export function basic(users: Readonly<Record<string, { password: string; role?: string }>>): Authenticator {
  const known = entriesOf('basic', passwordSchema, users).map(([name, { password, role }]) => {
    if (password === '') throw new OptionsError(`basic: the password of "${name}" is empty`)
    const user: DashboardUser = role === undefined ? { name } : { name, role }
    return { digest: digestOf(`${name}:${password}`), user }
  })
  if (known.length === 0) throw new OptionsError('basic: expected at least one user')
  const authenticate: Authenticator = (request) => {
    const [, encoded] = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(request.headers.get('authorization') ?? '') ?? []
    return encoded === undefined ? null : userOf(known, digestOf(Buffer.from(encoded, 'base64').toString()))
  }
  return Object.assign(authenticate, { challenge: 'Basic realm="arq-ts", charset="UTF-8"' })
}

/** Options of `trustedProxy()`. */
export interface TrustedProxyOptions {
  /** Header with the name of the user. Default `x-forwarded-user`. */
  userHeader?: string
  /** Header with the role of the user. Default none. */
  roleHeader?: string
  /** Header with which the proxy proves itself. Default `x-arq-ts-proxy-secret`. */
  secretHeader?: string
  /** Value of that header, at least 16 characters: without it, whoever reaches the port could name any user. */
  secret: string
}

/** Lets in whom a proxy in front has authenticated. The proxy must drop these headers from what it receives. @throws OptionsError */
export function trustedProxy(options: TrustedProxyOptions): Authenticator {
  const given = checkOptions('trustedProxy', proxySchema, options)
  const { userHeader = 'x-forwarded-user', secretHeader = 'x-arq-ts-proxy-secret', roleHeader, secret } = given
  if (secret.length < 16) {
    throw new OptionsError('trustedProxy: expected `secret` to have at least 16 characters')
  }
  const expected = digestOf(secret)
  return (request) => {
    const isProxy = timingSafeEqual(digestOf(request.headers.get(secretHeader) ?? ''), expected)
    const name = request.headers.get(userHeader)?.trim()
    if (!isProxy || !name) return null
    const role = roleHeader === undefined ? undefined : request.headers.get(roleHeader)?.trim()
    return role ? { name, role } : { name }
  }
}

/** Digests have one length, whatever was sent: comparing them says nothing about the secret. */
function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function userOf(known: readonly { digest: Buffer; user: DashboardUser }[], digest: Buffer): DashboardUser | null {
  let found: DashboardUser | null = null
  for (const entry of known) if (timingSafeEqual(entry.digest, digest)) found = entry.user
  return found
}
