/** Differences between two runs, and the table of those that are meant. */

/** Keys with their parts as seen; the key itself is the part ''. */
export type SeenKeys = ReadonlyMap<string, ReadonlyMap<string, string>>

export interface Difference {
  /** `log`, or the key and what of it. */
  where: string
  /** Observation of arq; null where there is nothing. */
  arq: string | null
  ours: string | null
}

/** Lines that are not in both, in order; one that stands for another, with the same beginning, is paired with it. */
export function lineDifferences(arq: readonly string[], ours: readonly string[]): Difference[] {
  const differences: Difference[] = []
  let theirs: string[] = []
  let own: string[] = []
  const flush = () => {
    for (const line of theirs) {
      const pair = own.findIndex((each) => beginning(each) === beginning(line))
      const before = pair < 0 ? [] : own.splice(0, pair + 1)
      for (const each of before.slice(0, -1)) differences.push({ where: 'log', arq: null, ours: each })
      differences.push({ where: 'log', arq: line, ours: before.at(-1) ?? null })
    }
    for (const each of own) differences.push({ where: 'log', arq: null, ours: each })
    theirs = []
    own = []
  }
  let [a, b] = [0, 0]
  const common = commonLengths(arq, ours)
  while (a < arq.length || b < ours.length) {
    if (a < arq.length && b < ours.length && arq[a] === ours[b]) {
      flush()
      a++
      b++
    } else if (b >= ours.length || (a < arq.length && common[a + 1]![b]! >= common[a]![b + 1]!)) {
      theirs.push(arq[a++]!)
    } else {
      own.push(ours[b++]!)
    }
  }
  flush()
  return differences
}

/** Level, and the first word or the time. */
function beginning(line: string): string {
  return line.split(/ +/, 2).join(' ')
}

/** For each pair of positions, how many lines the rest of both has in common. */
function commonLengths(arq: readonly string[], ours: readonly string[]): number[][] {
  const lengths = Array.from({ length: arq.length + 1 }, () => Array.from({ length: ours.length + 1 }, () => 0))
  for (let a = arq.length - 1; a >= 0; a--) {
    for (let b = ours.length - 1; b >= 0; b--) {
      lengths[a]![b] =
        arq[a] === ours[b] ? lengths[a + 1]![b + 1]! + 1 : Math.max(lengths[a + 1]![b]!, lengths[a]![b + 1]!)
    }
  }
  return lengths
}

/** Differences in Redis that only one side has; of a key that only one has, no more than that. */
export function keyDifferences(arq: SeenKeys, ours: SeenKeys): Difference[] {
  return [...new Set([...arq.keys(), ...ours.keys()])].flatMap((key) => {
    const [theirs, own] = [arq.get(key), ours.get(key)]
    const parts = theirs && own ? new Set([...theirs.keys(), ...own.keys()]) : ['']
    return [...parts]
      .map((part) => ({ where: key + part, arq: theirs?.get(part) ?? null, ours: own?.get(part) ?? null }))
      .filter((difference) => difference.arq !== difference.ours)
  })
}

/** A difference as the row that would allow it. */
export function rowOf({ where, arq, ours }: Difference): string {
  return `| ${code(where)} | ${code(arq)} | ${code(ours)} | why |`
}

function code(text: string | null): string {
  if (text === null) return '—'
  const escaped = text.replaceAll('|', '\\|')
  return escaped.includes('`') ? `\`\` ${escaped} \`\`` : `\`${escaped}\``
}

/** A row of the table, to be compared with differences. */
export interface Row {
  /** As it stands in the page. */
  text: string
  fits(difference: Difference): boolean
}

/**
 * The rows of a page in Markdown that begin with code: `| where | arq | arq-ts | why |`. `—` means that there is
 * nothing; `…` stands for any text, and a cell may have several forms.
 */
export function readTable(page: string): Row[] {
  return page
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((text) => {
      const [where, arq, ours] = text
        .split(/(?<!\\)\|/)
        .slice(1, 4)
        .map(forms)
      if (!where || !arq || !ours) throw new Error(`a row needs \`where\`, \`arq\` and \`arq-ts\`: ${text}`)
      return {
        text,
        fits: (difference) => where(difference.where) && arq(difference.arq) && ours(difference.ours),
      }
    })
}

function forms(cell: string): (value: string | null) => boolean {
  const codes = [...cell.matchAll(/`` (.+?) ``|`([^`]+)`/g)].map((match) => (match[1] ?? match[2]) as string)
  const patterns = codes.map(
    (code) =>
      new RegExp(
        `^${code
          .replaceAll('\\|', '|')
          .split('…')
          .map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
          .join('[^]*')}$`,
      ),
  )
  return (value) => (value === null ? cell.trim() === '—' : patterns.some((pattern) => pattern.test(value)))
}
