/** `auto` spins where replies come sooner for it, `on` always, `off` never. */
export type SpinMode = 'auto' | 'on' | 'off'

/** Time a reply is awaited awake, in ms. */
const AWAKE_MS = 0.2
/** Calls of a comparison that are awaited awake, and as many asleep. */
const TRIAL = 16
/** Awake pays where the median reply takes at most this part of the time it takes asleep. */
const PAYS = 0.9
/** Time a verdict stands before it is tested again, in ms: doubled while it stays the same. */
const MIN_HOLD_MS = 50
const MAX_HOLD_MS = 10_000
/** Late replies in a row that end a verdict at once: others want the processor. */
const MANY_LATE = 8

/**
 * Waits awake for replies that are due at once, where that pays. To fall asleep and be woken costs a process, and Redis,
 * which must wake it, between some microseconds and a tenth of a millisecond each, and more than the reply takes on many a
 * virtual machine; elsewhere, or where others want the processor, to stay awake costs CPU and gains nothing. Which it is
 * shows only in a comparison: some calls are awaited awake and some asleep, in an order that no pattern of calls follows.
 * The event loop goes round meanwhile, so nobody's callbacks wait.
 *
 * comparing → awake → comparing …
 * comparing → asleep → comparing …
 */
export class ReplySpinner {
  readonly #mode: SpinMode
  #state: 'comparing' | 'awake' | 'asleep' = 'comparing'
  #awaited = 0
  #awakeUntil = 0
  #isTurning = false
  /** Times of replies in the comparison. */
  readonly #awake: number[] = []
  readonly #asleep: number[] = []
  /** Calls of comparisons so far, those of them under way, and how these are awaited. */
  #compared = 0
  #comparing = 0
  #sleeps = false
  #late = 0
  #verdict: 'awake' | 'asleep' | undefined
  #holdMs = MIN_HOLD_MS
  #holdsUntil = 0

  constructor(mode: SpinMode = 'auto') {
    this.#mode = mode
  }

  /** True while the verdict is that replies come sooner to a process that stays awake. */
  get isAwake(): boolean {
    return this.#mode === 'on' || (this.#mode === 'auto' && this.#state === 'awake')
  }

  /** Begins the wait for a reply. The result goes to `end`: its time, negative where it is awaited asleep. */
  begin(): number {
    if (this.#mode === 'off') return 0
    const sent = performance.now()
    if (this.#mode === 'auto') {
      if (this.#state !== 'comparing' && sent >= this.#holdsUntil) this.#compare()
      if (this.#state === 'comparing' ? this.#next() : this.#state === 'asleep') return -sent
    }
    this.#awaited++
    this.#awakeUntil = sent + AWAKE_MS
    if (!this.#isTurning) {
      this.#isTurning = true
      setImmediate(this.#turn)
    }
    return sent
  }

  /** Takes note of a reply, or of the failure of its call. */
  end(begun: number): void {
    if (begun > 0) this.#awaited--
    if (this.#mode !== 'auto') return
    if (this.#comparing > 0) this.#comparing--
    if (this.#state === 'asleep') return
    const now = performance.now()
    const tookMs = now - Math.abs(begun)
    if (this.#state === 'awake') {
      this.#late = tookMs > AWAKE_MS ? this.#late + 1 : 0
      if (this.#late >= MANY_LATE) this.#compare()
      return
    }
    ;(begun > 0 ? this.#awake : this.#asleep).push(tookMs)
    if (this.#awake.length >= TRIAL && this.#asleep.length >= TRIAL) this.#judge(now)
  }

  readonly #turn = (): void => {
    if (this.#awaited > 0 && performance.now() < this.#awakeUntil) setImmediate(this.#turn)
    else this.#isTurning = false
  }

  /** True where the next call of a comparison is awaited asleep. Calls that overlap are awaited alike. */
  #next(): boolean {
    const isEnough = (this.#sleeps ? this.#asleep : this.#awake).length >= 2 * TRIAL
    if (this.#comparing++ === 0) this.#sleeps = isOdd(this.#compared++)
    else if (isEnough) this.#sleeps = !this.#sleeps
    return this.#sleeps
  }

  #compare(): void {
    this.#state = 'comparing'
    this.#comparing = 0
    this.#awake.length = this.#asleep.length = 0
    this.#late = 0
  }

  #judge(now: number): void {
    const verdict = median(this.#awake) <= PAYS * median(this.#asleep) ? 'awake' : 'asleep'
    this.#holdMs = verdict === this.#verdict ? Math.min(2 * this.#holdMs, MAX_HOLD_MS) : MIN_HOLD_MS
    this.#holdsUntil = now + this.#holdMs
    this.#verdict = this.#state = verdict
  }
}

/** The Thue–Morse sequence: calls that alternate, as claims and settlements do, reach both sides alike. */
function isOdd(count: number): boolean {
  let ones = 0
  for (let bits = count & 0x3ff; bits > 0; bits &= bits - 1) ones++
  return ones % 2 === 1
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1]!
}
