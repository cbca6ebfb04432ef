import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'

/** Point of a cut: before command number `command` (from 0) reaches the server, or before its reply returns. */
export interface Cut {
  command: number
  at: 'command' | 'reply'
}

/**
 * A TCP proxy in front of a Redis server that cuts connections at a chosen command, as a failover or a firewall does.
 * Commands are separated by their RESP array headers, so a cut falls between two commands.
 */
export class CuttingProxy {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #cut: Cut | undefined
  #cutsLeft = 0
  #hold: { matches: (command: Buffer) => boolean; reached: () => void } | undefined
  /** Connections that were cut so far. */
  cuts = 0

  private constructor(server: Server) {
    this.#server = server
  }

  /** Opens a proxy on a free port of this machine. */
  static async open(targetPort: number): Promise<CuttingProxy> {
    const proxy: CuttingProxy = new CuttingProxy(createServer((client) => proxy.#accept(client, targetPort)))
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Cuts the next `times` connections that reach a command. */
  cutNext(cut: Cut, times: number): void {
    this.#cut = cut
    this.#cutsLeft = times
  }

  /**
   * Resolves when a command arrives that matches. Neither that command nor later ones on its connection reach the server:
   * the test can kill the sender at exactly that point.
   */
  holdAt(matches: (command: Buffer) => boolean): Promise<void> {
    return new Promise((reached) => (this.#hold = { matches, reached }))
  }

  /** Resets all connections now. */
  cutAll(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  async close(): Promise<void> {
    this.cutAll()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  #accept(client: Socket, targetPort: number): void {
    const server = connect(targetPort, '127.0.0.1')
    let commands = 0
    let isDoomed = false
    let isHeld = false
    const end = () => {
      client.resetAndDestroy()
      server.destroy()
    }
    for (const socket of [client, server]) {
      this.#sockets.add(socket)
      socket.on('error', end)
      socket.on('close', () => {
        this.#sockets.delete(socket)
        end()
      })
    }
    client.on('data', (bytes) => {
      for (const command of splitCommands(bytes)) {
        if (!isHeld && this.#hold?.matches(command)) {
          isHeld = true
          this.#hold.reached()
          this.#hold = undefined
        }
        if (isHeld) return
        const cut = this.#cut
        if (cut && this.#cutsLeft > 0 && commands === cut.command && !isDoomed) {
          this.#cutsLeft--
          this.cuts++
          isDoomed = true
          if (cut.at === 'command') return end()
        }
        commands++
        server.write(command)
      }
    })
    server.on('data', (bytes) => {
      if (isDoomed) end()
      else client.write(bytes)
    })
  }
}

/** Splits what a client sent in one piece at the headers of its commands. Payloads that look like one are not expected. */
function splitCommands(bytes: Buffer): Buffer[] {
  const commands: Buffer[] = []
  let from = 0
  for (let at = 1; at < bytes.length; at++) {
    const isHeader = bytes[at] === 0x2a && bytes[at - 1] === 0x0a && isDigit(bytes[at + 1])
    if (!isHeader) continue
    commands.push(bytes.subarray(from, at))
    from = at
  }
  commands.push(bytes.subarray(from))
  return commands
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39
}
