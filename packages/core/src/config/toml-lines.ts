/**
 * Lines of the keys and items of a TOML document, which its parser does not report. Only for a document that the parser has
 * taken: what is wrong there is not found here.
 */

type Path = readonly PropertyKey[]

/** Gives the line, from 1, of what a path leads to; of the nearest known one above it where it is not found. */
export function tomlLines(text: string): (path: Path) => number {
  const lines = new Scanner(text).lines
  return (path) => {
    for (let length = path.length; length > 0; length--) {
      const line = lines.get(idOf(path.slice(0, length)))
      if (line !== undefined) return line
    }
    return 1
  }
}

function idOf(path: Path): string {
  return path.map(String).join('\0')
}

class Scanner {
  readonly lines = new Map<string, number>()
  readonly #text: string
  #at = 0
  /** Lines are counted as they are asked for: places only grow. */
  #counted = { at: 0, line: 1 }
  /** Number of items that each array of tables has so far. */
  readonly #counts = new Map<string, number>()

  constructor(text: string) {
    this.#text = text
    this.#document()
  }

  #document(): void {
    let table: Path = []
    for (this.#blank(); this.#at < this.#text.length; this.#blank()) {
      const start = this.#at
      if (this.#take(/\[\[/y)) table = this.#item(this.#key(), start)
      else if (this.#take(/\[/y)) table = this.#note(this.#current(this.#key()), start)
      else this.#pair(table)
      this.#take(/[^\n]*/y) // closing brackets, a comment
    }
  }

  /** `key = value` */
  #pair(table: Path): void {
    const start = this.#at
    const path = this.#key().reduce((parent, key) => this.#note([...parent, key], start), table)
    this.#take(/[ \t]*=[ \t]*/y)
    this.#value(path)
  }

  #value(path: Path): void {
    if (this.#take(/\[/y)) {
      for (let index = 0; this.#goesOn(']'); index++) this.#value(this.#note([...path, index], this.#at))
    } else if (this.#take(/\{/y)) while (this.#goesOn('}')) this.#pair(path)
    else
      this.#take(/"""(?:[^\\]|\\[^])*?"{3,5}|'''[^]*?'{3,5}|"(?:[^"\\]|\\.)*"|'[^']*'|[^\s,\]}#]+(?: \d[^\s,\]}#]*)?/y)
  }

  /** True where another item stands before this closing bracket, which is passed over. */
  #goesOn(closing: string): boolean {
    this.#blank()
    if (this.#take(/,/y)) this.#blank()
    const isOver = this.#at >= this.#text.length || this.#text[this.#at] === closing
    if (isOver) this.#at++
    return !isOver
  }

  /** The parts of a bare, quoted or dotted key. */
  #key(): string[] {
    const keys: string[] = []
    do {
      const part = this.#take(/\s*("(?:[^"\\]|\\.)*"|'[^']*'|[^\s.=\]"']+)[ \t]*/y)?.trim() ?? ''
      keys.push(part.startsWith('"') ? unquoted(part) : part.replaceAll("'", ''))
    } while (this.#take(/\./y))
    return keys
  }

  /** Another item of an array of tables. */
  #item(keys: readonly string[], start: number): Path {
    const array = [...this.#current(keys.slice(0, -1)), keys.at(-1)!]
    const index = this.#counts.get(idOf(array)) ?? 0
    this.#counts.set(idOf(array), index + 1)
    this.#note(array, start)
    return this.#note([...array, index], start)
  }

  /** The path that keys lead to: by the last item of each array of tables on the way. */
  #current(keys: readonly string[]): Path {
    return keys.reduce<Path>((parent, key) => {
      const path = [...parent, key]
      const count = this.#counts.get(idOf(path))
      return count === undefined ? path : [...path, count - 1]
    }, [])
  }

  /** Remembers where a path stands first. */
  #note(path: Path, at: number): Path {
    for (; this.#counted.at < at; this.#counted.at++) if (this.#text[this.#counted.at] === '\n') this.#counted.line++
    if (!this.lines.has(idOf(path))) this.lines.set(idOf(path), this.#counted.line)
    return path
  }

  #blank(): void {
    this.#take(/(?:\s|#[^\n]*)*/y)
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0]
    this.#at += found?.length ?? 0
    return found
  }
}

function unquoted(text: string): string {
  try {
    return JSON.parse(text) as string
  } catch {
    return text.slice(1, -1) // an escape that only TOML has
  }
}
