/** The stack, the marks and the memo that the opcodes of a pickle work on. All of it is bounded by the bytes read. */
import { COST, MAX_DEPTH } from '../values/limits.ts'
import type { DecodeBudget } from '../values/limits.ts'
import { isDict } from './globals.ts'
import { noteOrder } from '../values/key-order.ts'
import type { PickleSource } from './source.ts'

const PAID_AT_ONCE = 1_024

export class PickleStack {
  protected readonly source: PickleSource
  protected readonly budget: DecodeBudget
  /** Live up to `size`; below `floor` lies what a mark protects. */
  protected readonly stack: unknown[] = []
  protected size = 0
  protected floor = 0
  protected readonly floors: number[] = []
  /** Number of entries in the memo. */
  protected memoized = 0
  protected containers = 0
  /** Dicts that have become Maps, because a key is no text. */
  protected maps: Map<object, Map<unknown, unknown>> | undefined
  /** The keys of dicts with a key that JavaScript lists by number, as they came. */
  protected orders: Map<object, string[]> | undefined
  /** True where something holds a dict that has become a Map since. */
  protected mustSettle = false
  readonly #memo: unknown[] = []
  /** Dicts that something else may hold already. */
  #shared: Set<object> | undefined
  /** The length of the stack that is paid for. */
  #paid = 0

  constructor(source: PickleSource, budget: DecodeBudget) {
    this.source = source
    this.budget = budget
  }

  push(value: unknown): void {
    this.stack[this.size++] = value
    if (this.size > this.#paid) this.#pay()
  }

  /** The stack keeps the memory that it once had. */
  #pay(): void {
    this.#paid += PAID_AT_ONCE
    this.budget.take(PAID_AT_ONCE * COST.slot)
  }

  pushNew(value: unknown, cost: number): void {
    this.containers++
    this.budget.take(cost)
    this.push(value)
  }

  need(count: number): void {
    if (this.size - count < this.floor) this.source.fail('a value is missing')
  }

  pop(): unknown {
    if (this.size <= this.floor) this.source.fail('a value is missing')
    return this.stack[--this.size]
  }

  top(): unknown {
    if (this.size <= this.floor) this.source.fail('a value is missing')
    return this.stack[this.size - 1]
  }

  mark(): void {
    // Each open value needs one at most.
    if (this.floors.length > 2 * MAX_DEPTH) this.source.fail(`it nests deeper than ${MAX_DEPTH} levels`)
    this.floors.push(this.floor)
    this.floor = this.size
  }

  /** Takes the mark away; answers where the values above it begin. */
  popMark(): number {
    const from = this.floor
    const floor = this.floors.pop()
    if (floor === undefined) this.source.fail('a mark is missing')
    this.floor = floor
    return from
  }

  /** The values from a place on, off the stack. */
  take(from: number): unknown[] {
    const items = this.stack.slice(from, this.size)
    this.size = from
    return items
  }

  put(index: number): void {
    // CPython numbers them without gaps, so there are never more than bytes.
    if (index > this.source.bytes.length) this.source.fail(`memo ${index} is out of bounds`)
    if (this.#memo[index] === undefined) {
      this.memoized++
      // V8 keeps an array with gaps as a table.
      this.budget.take(index === this.#memo.length ? COST.slot : COST.entry)
    }
    this.#memo[index] = this.top()
  }

  get(index: number): void {
    const value = this.#memo[index]
    if (value === undefined) this.source.fail(`memo ${index} is not set`)
    this.push(typeof value === 'object' && value !== null ? this.share(value) : value)
  }

  /** A value that is now held twice, as what it is by now. */
  share(value: unknown): unknown {
    if (!isDict(value)) return value
    const map = this.maps?.get(value)
    if (map !== undefined) return map
    this.#shared ??= new Set()
    if (!this.#shared.has(value)) {
      this.budget.take(COST.entry)
      this.#shared.add(value)
    }
    return value
  }

  /** The keys of a dict from now on, in the order in which they come. */
  orderOf(dict: Record<string, unknown>): string[] {
    const order = Object.keys(dict)
    this.budget.take(COST.entry + COST.firstItem + order.length * COST.slot)
    this.orders ??= new Map()
    this.orders.set(dict, order)
    return order
  }

  /** Once all keys are there: JavaScript's order is its own for most of these dicts too. */
  noteOrders(): void {
    if (this.orders !== undefined) for (const [dict, order] of this.orders) noteOrder(dict, order)
  }

  /** The dict as a Map, from here on. */
  becomeMap(dict: Record<string, unknown>): Map<unknown, unknown> {
    const order = this.orders?.get(dict) ?? Object.keys(dict)
    const map = new Map<unknown, unknown>(order.map((key) => [key, dict[key]]))
    this.budget.take(COST.map + map.size * COST.entry)
    this.maps ??= new Map()
    this.maps.set(dict, map)
    if (this.#shared?.has(dict) === true) this.mustSettle = true
    return map
  }
}
