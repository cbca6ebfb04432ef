/**
 * Reads pickles of protocols 0 to 5 as data: a stack machine in which nothing is imported, looked up or called.
 * Work and memory are bounded by the bytes read. What CPython would refuse, or would need code for, is a DecodeError.
 */
import { DecodeError, RemoteError } from '../errors.ts'
import { MAX_PAYLOAD_BYTES } from './limits.ts'
import { build, construct, pythonGlobal, reduce } from './pickle-globals.ts'
import * as op from './pickle-opcodes.ts'
import { readText, unescapeRaw, unquote } from './pickle-text.ts'
import { Deque, FrozenSet, PyObject, Tuple } from './values.ts'

/** @throws DecodeError */
export function decodePickle(bytes: Uint8Array): unknown {
  if (bytes.byteLength > MAX_PAYLOAD_BYTES) throw new DecodeError(`payload of ${bytes.byteLength} bytes is larger than ${MAX_PAYLOAD_BYTES}`)
  try {
    return new PickleReader(bytes).read()
  } catch (error) {
    if (error instanceof DecodeError) throw error
    throw new DecodeError(`not a valid pickle: ${(error as Error).message}`)
  }
}

class PickleReader {
  readonly #bytes: Buffer
  #at = 0
  #protocol = 0
  #stack: unknown[] = []
  readonly #marks: unknown[][] = []
  readonly #memo = new Map<number, unknown>()
  /** Dicts that got a key that is no text after they had been handed out as plain objects. */
  readonly #maps = new Map<object, Map<unknown, unknown>>()

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  read(): unknown {
    for (;;) {
      const code = this.#byte()
      if (code === op.STOP) break
      this.#step(code)
    }
    if (this.#stack.length !== 1 || this.#marks.length !== 0) this.#fail('it does not end with one value')
    if (this.#at !== this.#bytes.length) this.#fail('bytes follow its end')
    const value = this.#current(this.#stack[0])
    return this.#maps.size === 0 ? value : this.#settleMaps(value)
  }

  #step(code: number): void {
    const stack = this.#stack
    switch (code) {
      case op.PROTO:
        this.#protocol = this.#byte()
        if (this.#protocol > 5) this.#fail(`protocol ${this.#protocol} is unknown`)
        return
      case op.FRAME:
        this.#skip(8)
        return
      case op.MARK:
        this.#marks.push(stack)
        this.#stack = []
        return
      case op.POP:
        if (stack.length > 0) stack.pop()
        else this.#popMark()
        return
      case op.POP_MARK:
        this.#popMark()
        return
      case op.DUP:
        stack.push(this.#top())
        return
      case op.NONE:
        stack.push(null)
        return
      case op.NEWTRUE:
        stack.push(true)
        return
      case op.NEWFALSE:
        stack.push(false)
        return
      case op.BININT:
        stack.push(this.#bytes.readInt32LE(this.#skip(4)))
        return
      case op.BININT1:
        stack.push(this.#byte())
        return
      case op.BININT2:
        stack.push(this.#bytes.readUInt16LE(this.#skip(2)))
        return
      case op.INT:
      case op.LONG:
        stack.push(this.#textInteger(code))
        return
      case op.LONG1:
        stack.push(this.#long(this.#byte()))
        return
      case op.LONG4:
        stack.push(this.#long(this.#length4()))
        return
      case op.FLOAT:
        stack.push(pythonFloat(this.#line()))
        return
      case op.BINFLOAT:
        stack.push(this.#bytes.readDoubleBE(this.#skip(8)))
        return
      case op.SHORT_BINUNICODE:
        stack.push(this.#text(this.#byte()))
        return
      case op.BINUNICODE:
        stack.push(this.#text(this.#length4()))
        return
      case op.BINUNICODE8:
        stack.push(this.#text(this.#length8()))
        return
      case op.UNICODE:
        stack.push(unescapeRaw(this.#line()))
        return
      case op.STRING:
        stack.push(unquote(this.#line()))
        return
      case op.SHORT_BINSTRING:
        stack.push(this.#latin1(this.#byte()))
        return
      case op.BINSTRING:
        stack.push(this.#latin1(this.#length4()))
        return
      case op.SHORT_BINBYTES:
        stack.push(this.#raw(this.#byte()))
        return
      case op.BINBYTES:
        stack.push(this.#raw(this.#length4()))
        return
      case op.BINBYTES8:
      case op.BYTEARRAY8:
        stack.push(this.#raw(this.#length8()))
        return
      default:
        this.#stepContainer(code)
    }
  }

  #stepContainer(code: number): void {
    const stack = this.#stack
    switch (code) {
      case op.EMPTY_TUPLE:
        stack.push(new Tuple())
        return
      case op.TUPLE1:
        stack.push(tuple([this.#pop()]))
        return
      case op.TUPLE2: {
        const second = this.#pop()
        stack.push(tuple([this.#pop(), second]))
        return
      }
      case op.TUPLE3: {
        const third = this.#pop()
        const second = this.#pop()
        stack.push(tuple([this.#pop(), second, third]))
        return
      }
      case op.TUPLE: {
        const items = this.#popMark()
        this.#stack.push(tuple(items))
        return
      }
      case op.EMPTY_LIST:
        stack.push([])
        return
      case op.LIST: {
        const items = this.#popMark()
        this.#stack.push(items)
        return
      }
      case op.APPEND: {
        const item = this.#pop()
        this.#append([item])
        return
      }
      case op.APPENDS:
        this.#append(this.#popMark())
        return
      case op.EMPTY_DICT:
        stack.push({})
        return
      case op.DICT: {
        const items = this.#popMark()
        this.#stack.push({})
        this.#setItems(items)
        return
      }
      case op.SETITEM: {
        const value = this.#pop()
        const key = this.#pop()
        this.#setItems([key, value])
        return
      }
      case op.SETITEMS:
        this.#setItems(this.#popMark())
        return
      case op.EMPTY_SET:
        stack.push(new Set())
        return
      case op.ADDITEMS: {
        const items = this.#popMark()
        const set = this.#top()
        if (!(set instanceof Set)) this.#fail('items are added to a value that is no set')
        for (const item of items) (set as Set<unknown>).add(item)
        return
      }
      case op.FROZENSET: {
        const items = this.#popMark()
        this.#stack.push(new FrozenSet(items))
        return
      }
      default:
        this.#stepObject(code)
    }
  }

  #stepObject(code: number): void {
    const stack = this.#stack
    switch (code) {
      case op.MEMOIZE:
        this.#memo.set(this.#memo.size, this.#top())
        return
      case op.BINPUT:
        this.#memo.set(this.#byte(), this.#top())
        return
      case op.LONG_BINPUT:
        this.#memo.set(this.#bytes.readUInt32LE(this.#skip(4)), this.#top())
        return
      case op.PUT:
        this.#memo.set(this.#index(), this.#top())
        return
      case op.BINGET:
        stack.push(this.#recall(this.#byte()))
        return
      case op.LONG_BINGET:
        stack.push(this.#recall(this.#bytes.readUInt32LE(this.#skip(4))))
        return
      case op.GET:
        stack.push(this.#recall(this.#index()))
        return
      case op.GLOBAL: {
        const module = this.#utf8Line()
        stack.push(pythonGlobal(module, this.#utf8Line(), this.#protocol))
        return
      }
      case op.STACK_GLOBAL: {
        const name = this.#pop()
        const module = this.#pop()
        if (typeof module !== 'string' || typeof name !== 'string') this.#fail('a global is named by something that is no text')
        stack.push(pythonGlobal(module as string, name as string, this.#protocol))
        return
      }
      case op.REDUCE: {
        const args = this.#pop()
        stack.push(reduce(this.#pop(), args))
        return
      }
      case op.NEWOBJ: {
        const args = this.#pop()
        stack.push(construct(this.#pop(), args))
        return
      }
      case op.NEWOBJ_EX: {
        const kwargs = this.#pop()
        const args = this.#pop()
        stack.push(construct(this.#pop(), args, kwargs))
        return
      }
      case op.OBJ: {
        const [type, ...args] = this.#popMark()
        this.#stack.push(reduce(type, tuple(args)))
        return
      }
      case op.INST: {
        const type = pythonGlobal(this.#utf8Line(), this.#utf8Line(), this.#protocol)
        const args = this.#popMark()
        this.#stack.push(reduce(type, tuple(args)))
        return
      }
      case op.BUILD: {
        const state = this.#pop()
        const before = this.#pop()
        const after = build(before, state)
        // A UUID is complete only here, after it was memoized.
        if (after !== before) for (const [index, value] of this.#lastMemo()) if (value === before) this.#memo.set(index, after)
        stack.push(after)
        return
      }
      default:
        this.#fail(`opcode 0x${code.toString(16)} is refused (persistent ids, extensions and buffers need code)`)
    }
  }

  /** The memo entries a BUILD can concern: the object was memoized right before its state, which is small. */
  #lastMemo(): [number, unknown][] {
    const last: [number, unknown][] = []
    for (let index = this.#memo.size - 1; index >= 0 && last.length < 16; index--) {
      if (this.#memo.has(index)) last.push([index, this.#memo.get(index)])
    }
    return last
  }

  #append(items: unknown[]): void {
    const list = this.#top()
    const into: unknown[] | undefined = list instanceof PyObject ? list.items : Array.isArray(list) && !(list instanceof Tuple) ? list : undefined
    if (!into) this.#fail('items are appended to a value that is no list')
    for (const item of items) (into as unknown[]).push(item)
    if (list instanceof Deque && list.maxLength !== null && list.length > list.maxLength) list.splice(0, list.length - list.maxLength)
  }

  #setItems(items: unknown[]): void {
    if (items.length % 2 !== 0) this.#fail('a key lacks its value')
    const top = this.#top()
    if (top instanceof PyObject) {
      for (let i = 0; i < items.length; i += 2) top.pairs.push([items[i], items[i + 1]])
      return
    }
    if (top instanceof Map) {
      for (let i = 0; i < items.length; i += 2) top.set(items[i], items[i + 1])
      return
    }
    if (typeof top !== 'object' || top === null || Object.getPrototypeOf(top) !== Object.prototype) this.#fail('keys are set on a value that is no dict')
    const object = top as Record<string, unknown>
    for (let i = 0; i < items.length; i += 2) {
      const key = items[i]
      if (typeof key !== 'string') {
        const map = new Map<unknown, unknown>(Object.entries(object))
        this.#maps.set(object, map)
        this.#stack[this.#stack.length - 1] = map
        for (let j = i; j < items.length; j += 2) map.set(items[j], items[j + 1])
        return
      }
      if (key === '__proto__') Object.defineProperty(object, key, { value: items[i + 1], enumerable: true, writable: true, configurable: true })
      else object[key] = items[i + 1]
    }
  }

  #current(value: unknown): unknown {
    return this.#maps.size > 0 && typeof value === 'object' && value !== null ? (this.#maps.get(value) ?? value) : value
  }

  /** Replaces what still points at a dict that became a Map: only cycles can. Iterative, each value once. */
  #settleMaps(root: unknown): unknown {
    const seen = new Set<object>()
    const open: object[] = []
    const visit = (value: unknown): unknown => {
      const now = this.#current(value)
      if (typeof now === 'object' && now !== null && !seen.has(now)) {
        seen.add(now)
        open.push(now)
      }
      return now
    }
    const settled = visit(root)
    for (let value = open.pop(); value !== undefined; value = open.pop()) {
      if (Array.isArray(value)) value.forEach((item, i) => (value[i] = visit(item)))
      else if (value instanceof Map) for (const [key, item] of value) value.set(visit(key) === key ? key : key, visit(item))
      else if (value instanceof Set) for (const item of value) visit(item)
      else if (value instanceof PyObject) {
        ;(value.args as unknown[]).forEach((item, i, args) => (args[i] = visit(item)))
        value.items.forEach((item, i) => (value.items[i] = visit(item)))
        for (const pair of value.pairs) pair[1] = visit(pair[1])
        value.state = visit(value.state)
      } else if (value instanceof RemoteError) (value.args as unknown[]).forEach((item, i, args) => (args[i] = visit(item)))
      else if (Object.getPrototypeOf(value) === Object.prototype) {
        const object = value as Record<string, unknown>
        for (const key of Object.keys(object)) if (key !== '__proto__') object[key] = visit(object[key])
      }
    }
    return settled
  }

  #recall(index: number): unknown {
    if (!this.#memo.has(index)) this.#fail(`memo ${index} is not set`)
    return this.#current(this.#memo.get(index))
  }

  #top(): unknown {
    if (this.#stack.length === 0) this.#fail('the stack is empty')
    return this.#stack[this.#stack.length - 1]
  }

  #pop(): unknown {
    if (this.#stack.length === 0) this.#fail('the stack is empty')
    return this.#stack.pop()
  }

  #popMark(): unknown[] {
    const items = this.#stack
    const below = this.#marks.pop()
    if (!below) this.#fail('a mark is missing')
    this.#stack = below as unknown[][]
    return items
  }

  #byte(): number {
    if (this.#at >= this.#bytes.length) this.#fail('it ends too soon')
    return this.#bytes[this.#at++] as number
  }

  /** Moves past `count` bytes and gives where they began. */
  #skip(count: number): number {
    const from = this.#at
    if (from + count > this.#bytes.length) this.#fail('it ends too soon')
    this.#at = from + count
    return from
  }

  #length4(): number {
    return this.#bytes.readUInt32LE(this.#skip(4))
  }

  #length8(): number {
    const length = this.#bytes.readBigUInt64LE(this.#skip(8))
    if (length > BigInt(this.#bytes.length)) this.#fail('it ends too soon')
    return Number(length)
  }

  #line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at)
    if (end === -1) this.#fail('a line has no end')
    const text = this.#bytes.toString('latin1', this.#at, end)
    this.#at = end + 1
    return text
  }

  #utf8Line(): string {
    return Buffer.from(this.#line(), 'latin1').toString('utf8')
  }

  #index(): number {
    const line = this.#line()
    if (!/^\d{1,10}$/.test(line)) this.#fail('a memo index is no number')
    return Number(line)
  }

  #text(length: number): string {
    const from = this.#skip(length)
    return readText(this.#bytes, from, from + length)
  }

  #latin1(length: number): string {
    const from = this.#skip(length)
    return this.#bytes.toString('latin1', from, from + length)
  }

  /** A copy: a handler may keep or change it, and the payload is sent again on a retry. */
  #raw(length: number): Uint8Array {
    const from = this.#skip(length)
    return new Uint8Array(this.#bytes.subarray(from, from + length))
  }

  /** Two's complement, little endian. Reading hex is linear enough; decimal would be quadratic. */
  #long(length: number): number | bigint {
    const from = this.#skip(length)
    if (length === 0) return 0
    if (length <= 6) return this.#bytes.readIntLE(from, length)
    const hex = Buffer.from(this.#bytes.subarray(from, from + length)).reverse().toString('hex')
    return small(BigInt.asIntN(length * 8, BigInt(`0x${hex}`)))
  }

  #textInteger(code: number): number | bigint | boolean {
    const line = this.#line()
    if (code === op.INT && line === '00') return false
    if (code === op.INT && line === '01') return true
    const digits = line.replace(/L$/, '')
    // Turning decimal digits into a number takes quadratic time: CPython too has a limit, of 4,300.
    if (!/^[+-]?\d{1,4300}$/.test(digits)) this.#fail('an integer is no number')
    return small(BigInt(digits.replace(/^\+/, '')))
  }

  #fail(what: string): never {
    throw new DecodeError(`not a valid pickle: ${what} (byte ${this.#at})`)
  }
}

function tuple(items: unknown[]): Tuple {
  const out = new Tuple()
  for (const item of items) out.push(item)
  return out
}

function small(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

function pythonFloat(text: string): number {
  const special: Record<string, number> = { inf: Infinity, '-inf': -Infinity, nan: NaN, '-nan': NaN }
  const value = Object.hasOwn(special, text) ? (special[text] as number) : text.trim() === '' ? NaN : Number(text)
  if (Number.isNaN(value) && !text.includes('nan')) throw new DecodeError(`not a valid pickle: \`${text.slice(0, 20)}\` is no float`)
  return value
}
