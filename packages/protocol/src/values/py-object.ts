import { expectThat } from './expect.ts'

/** Python objects of classes we do not know, as data. Nothing of Python is ever imported, resolved or run. */

/**
 * A class or function by name, not resolved. A dotted name is an attribute of it.
 *
 * A pickle that holds one makes its reader import it, so it is a statement of trust: only pickles, and the program's own
 * code, make one. Never construct it from a name that came as data.
 */
export class PyGlobal {
  readonly module: string
  readonly name: string

  /** @throws OptionsError unless both are strings and not empty. */
  constructor(module: string, name: string) {
    const isName = typeof module === 'string' && module !== '' && typeof name === 'string' && name !== ''
    expectThat(
      isName,
      'a module and a name',
      isName ? '' : `${module}, ${name}`,
      "new PyGlobal('myapp.errors', 'Declined')",
    )
    this.module = module
    this.name = name
  }

  toString(): string {
    return `<${this.module}.${this.name}>`
  }
}

/**
 * Call by which Python would make the instance. `reduce`: callee(*args). `new`: callee.__new__(callee, *args, **kwargs).
 * `reconstruct`: protocol 0 and 1, base.__new__(callee, state) with args = [base, state].
 */
export type Construction = 'reduce' | 'new' | 'reconstruct'

/**
 * An instance of a class this library does not know: how Python would make it. It is written back as it came; enum
 * members, dataclasses, named tuples and models travel through a TypeScript worker unharmed.
 */
const EXAMPLE = "new PyObject(new PyGlobal('geo', 'Point'), 'reduce', [1, 2])"

export class PyObject {
  /** Target of Python's call: a class, a function, or the result of another call. */
  readonly callee: PyGlobal | PyObject
  readonly made: Construction
  readonly args: readonly unknown[]
  /** Keywords of `__new__`; undefined where there are none. */
  readonly kwargs: unknown
  /** Argument of `__setstate__` or `__dict__`; undefined where there is none. */
  state: unknown
  /** Setter to use instead: `stateSetter(object, state)`; undefined for nearly all. */
  stateSetter: PyGlobal | PyObject | undefined
  /** Items appended afterwards, for subclasses of list. */
  readonly listItems: unknown[] = []
  /** Pairs set afterwards, for subclasses of dict. */
  readonly dictItems: [unknown, unknown][] = []

  /** @throws OptionsError unless `callee` is a PyGlobal or a PyObject and `args` an array. */
  constructor(callee: PyGlobal | PyObject, made: Construction, args: readonly unknown[], kwargs?: unknown) {
    const isCallee = callee instanceof PyGlobal || callee instanceof PyObject
    expectThat(isCallee && Array.isArray(args), 'a PyGlobal and its arguments', callee, EXAMPLE)
    this.callee = callee
    this.made = made
    this.args = args
    this.kwargs = kwargs
  }

  get module(): string {
    return this.global.module
  }

  get name(): string {
    return this.global.name
  }

  /** The class or function itself, where `callee` is what another call gives. */
  get global(): PyGlobal {
    let callee = this.callee
    while (callee instanceof PyObject) callee = callee.callee
    return callee
  }

  toString(): string {
    return `<${this.module}.${this.name} object>`
  }
}
