import { Refusal } from './refusal.ts'

/** Names that only this machine answers to. */
const LOOPBACK = /^(localhost|([a-z0-9-]+\.)*localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])$/
const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:\d{1,5})?$/

/** A host name without its port, in lower case; null for what is none. */
export function hostName(host: string): string | null {
  const match = HOST.exec(host.toLowerCase())
  return match ? match[1]!.replace(/\.$/, '') : null
}

/** True for a name or an address that only this machine answers to. */
export function isLoopback(name: string): boolean {
  return LOOPBACK.test(name)
}

/** Hosts that a dashboard answers to. `any` is for one that authenticates its users itself. */
export type AllowedHosts = 'any' | ReadonlySet<string>

/**
 * Refuses a request for another host: a page of a foreign name that resolves to this machine (DNS rebinding) must not
 * read what is served here.
 *
 * @throws Refusal
 */
export function checkHost(request: Request, allowed: AllowedHosts): void {
  const named = [new URL(request.url).host, request.headers.get('host')]
  for (const host of named) {
    if (host === null) continue
    const name = hostName(host)
    if (name === null) throw new Refusal('invalid_request', 'the header Host names no host')
    if (allowed === 'any' || isLoopback(name) || allowed.has(name)) continue
    throw new Refusal(
      'host_not_allowed',
      `the dashboard does not answer to the host "${name}"; name it in \`allowedHosts\` (--allowed-host), with authentication`,
    )
  }
}

/**
 * Refuses a change that does not come from a page of this dashboard: another site could send it in the name of a user who
 * is signed in. A program sends `Origin` with the dashboard's own address.
 *
 * @throws Refusal
 */
export function checkChange(request: Request, allowed: AllowedHosts): void {
  const type = request.headers.get('content-type') ?? ''
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    throw new Refusal('unsupported_media_type', 'a change needs a body of the content type application/json')
  }
  const site = request.headers.get('sec-fetch-site')
  const origin = request.headers.get('origin')
  if (site === null && origin === null) {
    throw new Refusal(
      'cross_origin',
      'a change needs the header Sec-Fetch-Site or Origin; a program sends `Origin` with the address of the dashboard',
    )
  }
  if (site !== null && site !== 'same-origin') {
    throw new Refusal('cross_origin', 'the change comes from another site; open the dashboard and repeat it there')
  }
  if (origin !== null && !isOwnOrigin(request, origin, allowed)) {
    throw new Refusal(
      'cross_origin',
      `the change comes from the origin "${origin.slice(0, 200)}", which is another one`,
    )
  }
}

/** Refuses that another site's page reads or loads the API. @throws Refusal */
export function checkRead(request: Request): void {
  const site = request.headers.get('sec-fetch-site')
  if (site === null || site === 'same-origin' || site === 'none') return
  throw new Refusal('cross_origin', 'the API answers pages of the dashboard alone')
}

function isOwnOrigin(request: Request, origin: string, allowed: AllowedHosts): boolean {
  let url: URL
  try {
    url = new URL(origin)
  } catch {
    return false
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return false
  const host = request.headers.get('host') ?? new URL(request.url).host
  // Behind a proxy that names another host, the public name is among the allowed ones.
  return url.host === host.toLowerCase() || (allowed !== 'any' && allowed.has(url.hostname))
}
