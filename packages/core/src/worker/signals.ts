const STOP_SIGNALS = ['SIGTERM', 'SIGINT'] as const

/** Hands SIGTERM and SIGINT to a worker while it runs, and gives them back afterwards. */
export class Signals {
  readonly #listener: (name: NodeJS.Signals) => void

  constructor(listener: (name: NodeJS.Signals) => void) {
    this.#listener = listener
    for (const name of STOP_SIGNALS) process.on(name, this.#listener)
  }

  dispose(): void {
    for (const name of STOP_SIGNALS) process.off(name, this.#listener)
  }
}
