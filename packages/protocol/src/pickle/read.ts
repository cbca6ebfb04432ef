/**
 * Reads pickles of protocols 0 to 5 as data: a stack machine in which nothing is imported, looked up or called.
 * Work and memory are bounded by the bytes read. What CPython would refuse, or would need code for, is a DecodeError.
 */
import { DecodeError } from '../errors.ts'
import { smallIndex } from '../values/integers.ts'
import { isIndex, setKey } from '../values/key-order.ts'
import { COST, DecodeBudget, MAX_DEPTH } from '../values/limits.ts'
import type { PayloadLimits } from '../values/limits.ts'
import { MAX_NAME_LENGTH, build, construct, isDict, reduce } from './globals.ts'
import type { BytesType } from './globals.ts'
import { settleGraph } from './graph.ts'
import * as op from './opcodes.ts'
import { fromPython2 } from './python2.ts'
import { PickleSource } from './source.ts'
import { PickleStack } from './stack.ts'
import { unescapeRaw, unquote } from './text.ts'
import { ByteArray, Deque, FrozenSet, PyGlobal, PyObject, Tuple } from '../values/values.ts'

/** @throws DecodeError */
export function decodePickle(bytes: Uint8Array, limits?: PayloadLimits): unknown {
  const budget = new DecodeBudget(bytes.byteLength, limits)
  try {
    return new PickleReader(new PickleSource(bytes, budget), budget).read()
  } catch (error) {
    if (error instanceof DecodeError) throw error
    throw new DecodeError(`not a valid pickle: ${(error as Error).message}`, { cause: error })
  }
}

class PickleReader extends PickleStack {
  #protocol = 0

  read(): unknown {
    const source: PickleSource = this.source
    for (let code = source.byte(); code !== op.STOP; code = source.byte()) this.#step(code)
    if (this.size !== 1 || this.floors.length > 0) source.fail('it does not end with one value')
    const value = this.pop()
    this.noteOrders()
    if (!this.mustSettle && this.containers <= MAX_DEPTH) return value
    this.budget.take(this.containers * COST.visit)
    return settleGraph(value, this.maps)
  }

  #step(code: number): void {
    const source: PickleSource = this.source
    switch (code) {
      case op.SHORT_BINUNICODE:
        return this.push(source.text(source.byte()))
      case op.MEMOIZE:
        return this.put(this.memoized)
      case op.BINPUT:
        return this.put(source.byte())
      case op.LONG_BINPUT:
        return this.put(source.uint32())
      case op.BINGET:
        return this.get(source.byte())
      case op.LONG_BINGET:
        return this.get(source.uint32())
      case op.BININT1:
        return this.push(source.byte())
      case op.BININT2:
        return this.push(source.uint16())
      case op.BININT:
        return this.push(source.int32())
      case op.LONG1:
        return this.push(source.long(source.byte()))
      case op.BINFLOAT:
        return this.push(source.double())
      case op.NONE:
        return this.push(null)
      case op.NEWTRUE:
        return this.push(true)
      case op.NEWFALSE:
        return this.push(false)
      case op.BINUNICODE:
        return this.push(source.text(source.uint32()))
      case op.MARK:
        return this.mark()
      case op.EMPTY_DICT:
        return this.pushNew({}, COST.dict)
      case op.SETITEMS:
        return this.#setItems(this.popMark())
      case op.SETITEM:
        this.need(2)
        return this.#setItems(this.size - 2)
      case op.EMPTY_LIST:
        return this.pushNew([], COST.list)
      case op.APPENDS:
        return this.#append(this.popMark())
      case op.APPEND:
        this.need(1)
        return this.#append(this.size - 1)
      case op.EMPTY_TUPLE:
        return this.pushNew(Tuple.adopt([]), COST.tuple)
      case op.TUPLE1:
      case op.TUPLE2:
      case op.TUPLE3:
        this.need(code - op.TUPLE1 + 1)
        return this.#tuple(this.size - (code - op.TUPLE1 + 1))
      case op.TUPLE:
        return this.#tuple(this.popMark())
      case op.SHORT_BINBYTES:
        return this.#bytes(source.byte())
      case op.BINBYTES:
        return this.#bytes(source.uint32())
      default:
        return this.#stepObject(code)
    }
  }

  /** Opcodes that make objects by their names. */
  #stepObject(code: number): void {
    const source: PickleSource = this.source
    switch (code) {
      case op.STACK_GLOBAL: {
        const name = this.pop()
        const module = this.pop()
        if (typeof module !== 'string' || typeof name !== 'string')
          source.fail('a global is named by something that is no text')
        return this.#global(module, name)
      }
      case op.GLOBAL: {
        const module = source.utf8Line()
        return this.#global(module, source.utf8Line())
      }
      case op.REDUCE: {
        const args = this.pop()
        return this.pushNew(reduce(this.pop(), args, this.budget), 0)
      }
      case op.NEWOBJ: {
        const args = this.pop()
        return this.pushNew(construct(this.pop(), args, this.budget), 0)
      }
      case op.NEWOBJ_EX: {
        const kwargs = this.pop()
        const args = this.pop()
        return this.pushNew(construct(this.pop(), args, this.budget, kwargs), 0)
      }
      case op.BUILD: {
        const state = this.pop()
        return build(this.top(), state)
      }
      case op.OBJ: {
        const [callee, ...args] = this.take(this.popMark())
        return this.pushNew(reduce(callee, Tuple.adopt(args), this.budget), COST.tuple)
      }
      case op.INST: {
        const module = source.utf8Line()
        this.#global(module, source.utf8Line())
        const callee = this.pop()
        const args = Tuple.adopt(this.take(this.popMark()))
        return this.pushNew(reduce(callee, args, this.budget), COST.tuple)
      }
      case op.EMPTY_SET:
        return this.pushNew(new Set(), COST.set)
      case op.ADDITEMS: {
        const from = this.popMark()
        const set = this.stack[from - 1]
        if (from === this.floor || !(set instanceof Set)) source.fail('items are added to a value that is no set')
        return this.#addItems(set, from)
      }
      case op.FROZENSET: {
        const set = new FrozenSet()
        this.#addItems(set, this.popMark())
        return this.pushNew(set, COST.set)
      }
      default:
        return this.#stepRare(code)
    }
  }

  /** Older protocols, large values and the stack's own. */
  #stepRare(code: number): void {
    const source: PickleSource = this.source
    switch (code) {
      case op.PROTO:
        this.#protocol = source.byte()
        if (this.#protocol > 5) source.fail(`protocol ${this.#protocol} is unknown`)
        return
      case op.FRAME:
        return source.frame()
      case op.POP:
        return this.#popOne()
      case op.POP_MARK:
        this.size = this.popMark()
        return
      case op.DUP:
        return this.push(this.share(this.top()))
      case op.PUT:
        return this.put(source.index())
      case op.GET:
        return this.get(source.index())
      case op.INT:
        return this.push(source.intLine())
      case op.LONG:
        return this.push(source.longLine())
      case op.LONG4:
        return this.push(source.long(source.int32()))
      case op.FLOAT:
        return this.push(source.floatLine())
      case op.UNICODE:
        return this.push(unescapeRaw(source.line()))
      case op.STRING:
        return this.push(source.checkAscii(unquote(source.line())))
      case op.SHORT_BINSTRING:
        return this.push(source.ascii(source.byte()))
      case op.BINSTRING:
        return this.push(source.ascii(source.int32()))
      case op.BINUNICODE8:
        return this.push(source.text(source.length8()))
      case op.BINBYTES8:
        return this.#bytes(source.length8())
      case op.BYTEARRAY8:
        return this.#bytes(source.length8(), ByteArray)
      case op.LIST: {
        const from = this.popMark()
        this.budget.take(COST.list + (this.size - from) * COST.item)
        return this.pushNew(this.take(from), 0)
      }
      case op.DICT: {
        const pairs = this.take(this.popMark())
        this.pushNew({}, COST.dict)
        const from = this.size
        for (const item of pairs) this.push(item)
        return this.#setItems(from)
      }
      default:
        source.fail(
          `opcode 0x${code.toString(16)} is refused: unknown, or persistent ids, extensions and outside buffers, which need code`,
        )
    }
  }

  #popOne(): void {
    if (this.size === this.floor && this.floors.length > 0) {
      this.size = this.popMark()
      return
    }
    const value = this.pop()
    // A `state_setter` is called for its effect alone: (setter, (object, state)).
    const object = this.size > this.floor ? this.stack[this.size - 1] : undefined
    if (!(value instanceof PyObject) || value.made !== 'reduce' || value.args.length !== 2 || value.args[0] !== object)
      return
    if (!(object instanceof PyObject)) this.source.fail('a function sets the state of a value that has none')
    object.stateSetter = value.callee
    object.state = value.args[1]
  }

  #global(module: string, name: string): void {
    if (module.length + name.length > MAX_NAME_LENGTH) this.source.fail('a global has too long a name')
    this.pushNew(this.#protocol < 3 ? fromPython2(module, name) : new PyGlobal(module, name), COST.dict)
  }

  #bytes(length: number, type: BytesType = Uint8Array): void {
    this.budget.take(COST.bytes + length)
    this.pushNew(this.source.raw(length, type), 0)
  }

  #tuple(from: number): void {
    this.budget.take(COST.tuple + (this.size - from) * COST.item)
    this.pushNew(Tuple.adopt(this.take(from)), 0)
  }

  #addItems(set: Set<unknown>, from: number): void {
    for (let i = from; i < this.size; i++) {
      const item = this.stack[i]
      this.budget.key(item)
      set.add(item)
    }
    this.budget.take((this.size - from) * COST.entry)
    this.size = from
  }

  #append(from: number): void {
    const list = from > this.floor ? this.stack[from - 1] : undefined
    const into = list instanceof PyObject ? list.listItems : list
    if (!Array.isArray(into) || into instanceof Tuple) this.source.fail('items are appended to a value that is no list')
    this.budget.take((into.length === 0 ? COST.firstItem : 0) + (this.size - from) * COST.slot)
    for (let i = from; i < this.size; i++) into.push(this.stack[i])
    this.size = from
    if (into instanceof Deque && into.maxLength !== null && into.length > into.maxLength)
      this.source.fail('a deque is longer than its maxlen')
  }

  /** Keys and values from a place on, for what lies below them. */
  #setItems(from: number): void {
    if ((this.size - from) % 2 !== 0) this.source.fail('a key lacks its value')
    const top = from > this.floor ? this.stack[from - 1] : undefined
    const stack = this.stack
    if (isDict(top)) {
      const known = this.maps?.get(top)
      if (known !== undefined) {
        stack[from - 1] = known
        this.#setPairs(known, from)
      } else this.#setProperties(top, from)
    } else if (top instanceof Map) this.#setPairs(top, from)
    else if (top instanceof PyObject) {
      this.budget.take((top.dictItems.length === 0 ? COST.firstItem : 0) + (this.size - from) * COST.entry)
      for (let i = from; i < this.size; i += 2) top.dictItems.push([stack[i], stack[i + 1]])
    } else this.source.fail('keys are set on a value that is no dict')
    this.size = from
  }

  #setProperties(dict: Record<string, unknown>, from: number): void {
    const stack = this.stack
    let largest = -1
    let order = this.orders?.get(dict)
    for (let i = from; i < this.size; i += 2) {
      const key = stack[i]
      if (typeof key !== 'string') {
        const map = this.becomeMap(dict)
        stack[from - 1] = map
        return this.#setPairs(map, i)
      }
      if (order === undefined && isIndex(key)) order = this.orderOf(dict)
      if (order !== undefined && !Object.hasOwn(dict, key)) order.push(key)
      largest = Math.max(largest, smallIndex(key))
      setKey(dict, key, stack[i + 1])
    }
    if (largest > 0) this.budget.take(COST.index * largest)
    this.budget.take(((this.size - from) / 2) * COST.property)
  }

  #setPairs(map: Map<unknown, unknown>, from: number): void {
    this.budget.take(((this.size - from) / 2) * COST.entry)
    for (let i = from; i < this.size; i += 2) {
      const key = this.stack[i]
      this.budget.key(key)
      map.set(key, this.stack[i + 1])
    }
  }
}
