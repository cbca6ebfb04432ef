import { QdrantClientResourceExhaustedError, QdrantClientTimeoutError } from '@qdrant/js-client-rest'
import { describe, expect, test } from 'vitest'
import { QdrantError } from '../../src/index.ts'

/** Error that Qdrant's client throws for a refusal. */
function answer(status: number, error?: string): Error {
  return Object.assign(new Error('Status Text'), { status, data: error === undefined ? '' : { status: { error } } })
}

const refused = new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED 127.0.0.1:6333') })

describe('a failure of Qdrant', () => {
  test.each<[cause: unknown, message: string, temporary: boolean]>([
    [answer(500, 'Service internal error: disk'), 'answered 500: Service internal error: disk', true],
    [answer(502), 'answered 502: Status Text', true],
    [answer(408, 'Timeout: too slow'), 'answered 408: Timeout: too slow', true],
    [answer(429, 'Rate limiting exceeded'), 'answered 429: Rate limiting exceeded', true],
    [new QdrantClientResourceExhaustedError('Too Many Requests', '5'), 'answered 429: Too Many Requests', true],
    [new QdrantClientTimeoutError('aborted'), 'did not answer: its time was up', true],
    [refused, 'did not answer: fetch failed (connect ECONNREFUSED 127.0.0.1:6333)', true],
    [new Error('no words', { cause: new Error('') }), 'did not answer: no words', true],
    ['a string', 'did not answer: a string', true],
    [null, 'did not answer: null', true],
    [answer(403, 'Storage locked: maintenance'), 'answered 403: Storage locked: maintenance', true],
    [answer(403, 'Forbidden: read only'), 'answered 403: Forbidden: read only', false],
    [answer(401), 'answered 401: Status Text', false],
    [answer(400, 'Wrong input: no'), 'answered 400: Wrong input: no', false],
    [answer(404, 'Not found: x'), 'answered 404: Not found: x', false],
    [answer(409, 'Wrong input: exists'), 'answered 409: Wrong input: exists', false],
    [answer(422, 'Validation error'), 'answered 422: Validation error', false],
  ])('%s', (cause, message, temporary) => {
    const error = new QdrantError('what', cause)
    expect(error).toMatchObject({ message: `what: Qdrant ${message}`, temporary, cause, code: 'ARQ_QDRANT' })
  })
})
