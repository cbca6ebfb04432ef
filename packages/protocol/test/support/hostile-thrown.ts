/** Values that a handler may throw and that throw, change or never end when they are read. */

const MEMBERS = [
  'name',
  'message',
  'stack',
  'cause',
  'code',
  'deferMs',
  'pythonType',
  'args',
  'toString',
  'then',
] as const
const TRAPS = ['get', 'has', 'getPrototypeOf', 'ownKeys', 'getOwnPropertyDescriptor'] as const
/** Reads that go well before the first that does not. */
const READS = [0, 1, 2, 4] as const
const LARGE = 1_000_000

function refuse(): never {
  throw new Error('this is not to be read')
}

/** Goes well for some calls; from then on it throws. */
function lasting<T>(reads: number, value: T): () => T {
  let left = reads
  return () => (left-- > 0 ? value : refuse())
}

function withMember(name: string, descriptor: PropertyDescriptor): Error {
  return Object.defineProperty(new Error('hostile'), name, { configurable: true, ...descriptor })
}

function withTrap(trap: (typeof TRAPS)[number], reads: number, error = new Error('hostile')): object {
  const ask = lasting(reads, true)
  const reflect = Reflect[trap] as (...args: unknown[]) => unknown
  return new Proxy(error, { [trap]: (...args: unknown[]) => (ask(), reflect(...args)) })
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable(new Error('hostile'), {})
  revoke()
  return proxy
}

class Named extends Error {
  get [Symbol.toStringTag](): string {
    return 'Named'
  }
}

class Private extends Error {
  readonly #text: string

  constructor() {
    super('')
    this.#text = 'private'
  }

  override get message(): string {
    return this.#text
  }
}

/** Each by what is wrong with it; a new value with each call. */
export const hostileThrown: Readonly<Record<string, () => unknown>> = {
  ...Object.fromEntries(
    MEMBERS.flatMap((name) => [
      ...READS.map((reads) => [
        `a getter of ${name} that throws after ${reads} reads`,
        () => withMember(name, { get: lasting(reads, 'text') }),
      ]),
      [`a ${name} that cannot be made a string`, () => withMember(name, { value: { toString: refuse } })],
      [`a ${name} that is a symbol`, () => withMember(name, { value: Symbol('s') })],
      [`a ${name} that is a revoked Proxy`, () => withMember(name, { value: revoked() })],
      [
        `a ${name} that changes with each read`,
        () => {
          const values = ['text', 5, undefined, null, Symbol('s'), new Error('another')]
          let reads = 0
          return withMember(name, { get: () => values[reads++ % values.length] })
        },
      ],
    ]),
  ),
  ...Object.fromEntries(
    TRAPS.flatMap((trap) =>
      READS.map((reads) => [`a Proxy whose ${trap} throws after ${reads} calls`, () => withTrap(trap, reads)]),
    ),
  ),
  'a Proxy that answers all with one string': () => new Proxy(new Error('hostile'), { get: () => 'Error' }),
  'a revoked Proxy': revoked,
  'a Proxy as its class': () => Object.setPrototypeOf(new Error('hostile'), new Proxy(Error.prototype, {})),
  'an object without a class': () => Object.create(null),
  'an error without a class': () => Object.setPrototypeOf(new Error('hostile'), null),
  'an object that says that it is an error': () => ({ [Symbol.toStringTag]: 'Error' }),
  ...Object.fromEntries(
    READS.map((reads) => [
      `a Proxy of an error that its class names, whose get throws after ${reads} calls`,
      () => withTrap('get', reads, new Named('hostile')),
    ]),
  ),
  'an object of the class Error that is none': () => Object.create(Error.prototype),
  'an object with a getter': () => ({ message: 'm', name: 'N', get code() { return refuse() } }), // prettier-ignore
  'an object whose message throws': () => ({ get message() { return refuse() } }), // prettier-ignore
  'a function that cannot be made a string': () => Object.assign(() => {}, { toString: refuse }),
  'a symbol': () => Symbol('s'),
  'nothing': () => undefined, // prettier-ignore
  'a bigint': () => 10n ** 400n,
  'a large string': () => 'x'.repeat(LARGE),
  'a large message': () => new Error('x'.repeat(LARGE)),
  'a large name': () => Object.assign(new Error('x'), { name: 'N'.repeat(LARGE) }),
  'a large stack': () => withMember('stack', { value: 'at x\n'.repeat(LARGE / 5) }),
  'a large code': () => Object.assign(new Error('x'), { code: 'C'.repeat(LARGE) }),
  'a large cause': () => new Error('x', { cause: new Error('y'.repeat(LARGE)) }),
  'large fields': () =>
    Object.assign(new Error('x'), { body: 'y'.repeat(LARGE), rows: Array.from({ length: LARGE / 10 }) }),
  'fields that share what is within them': () => {
    let shared: unknown = 'leaf'.repeat(1_000)
    for (let i = 0; i < 40; i++) shared = { a: Array.from({ length: 50 }, () => shared) }
    return Object.assign(new Error('x'), { shared })
  },
  'a cause that is itself': () => {
    const error = new Error('x')
    return Object.assign(error, { cause: error })
  },
  'a long chain of causes': () => {
    let error = new Error('first')
    for (let i = 0; i < 10_000; i++) error = new Error(`x${i}`, { cause: error })
    return error
  },
  'a cause that cannot be read': () => new Error('x', { cause: withMember('message', { get: lasting(1, 'm') }) }),
  'a class with a getter': () => new Private(),
  'a frozen error': () => Object.freeze(new Error('x')),
  'errors of an AggregateError that cannot be read': () => new AggregateError([revoked()], 'x'),
}
