import { parseId } from '@arq-ts/protocol/jobs'
import { Refusal } from './refusal.ts'

/** A route: its method, its path below the base with `:names`, and what it does. */
export interface Route<Handler> {
  method: 'GET' | 'POST'
  path: string
  handler: Handler
}

/** A route that fits a request, and the values of the names in its path. */
export interface Match<Handler> {
  route: Route<Handler>
  params: Readonly<Record<string, string>>
}

/**
 * Finds the route of a request by whole segments of its path, each decoded once. A name is written as `showId` writes it: so
 * a path has every name, those too that are no text, or that a browser takes for a step up.
 */
export class Router<Handler> {
  readonly #routes: { route: Route<Handler>; segments: string[] }[]

  constructor(routes: readonly Route<Handler>[]) {
    this.#routes = routes.map((route) => ({ route, segments: route.path.split('/').slice(1) }))
  }

  /**
   * The route of a path that begins with `/`, percent-encoded as it came.
   *
   * @throws Refusal when there is none, or none with the method.
   */
  match(method: string, path: string): Match<Handler> {
    const segments = path.split('/').slice(1).map(decoded)
    const fitting = this.#routes.flatMap(({ route, segments: pattern }) => {
      const params = paramsOf(pattern, segments)
      return params ? [{ route, params }] : []
    })
    if (fitting.length === 0) throw new Refusal('not_found', 'the API has nothing at this path; see api/openapi.json')
    const found = fitting.find(({ route }) => route.method === method)
    if (found) return found
    const allow = [...new Set(fitting.map(({ route }) => route.method))].join(', ')
    throw new Refusal('method_not_allowed', `this path takes ${allow}`, { allow })
  }
}

function paramsOf(pattern: readonly string[], segments: readonly string[]): Record<string, string> | null {
  if (pattern.length !== segments.length) return null
  const params: Record<string, string> = {}
  for (const [i, part] of pattern.entries()) {
    const segment = segments[i]!
    if (part.startsWith(':') && segment !== '') params[part.slice(1)] = parseId(segment)
    else if (part !== segment) return null
  }
  return params
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw new Refusal('invalid_request', 'the path has a percent sign that begins no UTF-8 character')
  }
}
