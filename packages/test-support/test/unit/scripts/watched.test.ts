import { readFileSync } from 'node:fs'
import { afterEach, expect, test, vi } from 'vitest'
import { eventually } from '../../../src/eventually.ts'
import { importScript } from './scripts.ts'

interface Watched {
  ended: Promise<{ code: number; isSilent: boolean }>
  kill(signal: NodeJS.Signals): void
}
const { Watched } = await importScript<{
  Watched: new (
    command: string,
    args: readonly string[],
    options: { silenceMs: number; print: (stream: string, piece: Buffer) => void },
  ) => Watched
}>('lib/watched.mjs')

const SILENCE_MS = 480_000

/** A program with its lines so far. Time stands still until a test moves it; what the program says comes by itself. */
function watch(program: string): { watched: Watched; lines: string[] } {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const lines: string[] = []
  const watched = new Watched(process.execPath, ['-e', program], {
    silenceMs: SILENCE_MS,
    print: (_, piece) => lines.push(...String(piece).trim().split('\n')),
  })
  return { watched, lines }
}

/** False for a process that has ended, even where nobody has asked how. */
function isAlive(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

/** Waits in real time. */
async function printed(lines: readonly string[], count: number): Promise<void> {
  while (lines.length < count) await new Promise((resolve) => setImmediate(resolve))
}

afterEach(() => {
  vi.useRealTimers()
})

test('lets a program run as long as it prints, and ends it when it prints no more', async () => {
  const { watched, lines } = watch(`
    process.on('SIGUSR2', () => console.log('works'))
    setInterval(() => {}, 1000)
    console.log('works')`)
  for (let count = 1; count <= 3; count++) {
    await printed(lines, count)
    vi.advanceTimersByTime(SILENCE_MS - 1)
    watched.kill('SIGUSR2')
  }
  await printed(lines, 4)
  vi.advanceTimersByTime(SILENCE_MS)
  expect(await watched.ended).toEqual({ code: 1, isSilent: true })
})

test('ends what a silent program has started, and a program that does not listen', async () => {
  const { watched, lines } = watch(`
    process.on('SIGTERM', () => console.log('no'))
    const child = require('node:child_process').spawn('sleep', ['1000'])
    console.log(child.pid)
    setInterval(() => {}, 1000)`)
  await printed(lines, 1)
  vi.advanceTimersByTime(SILENCE_MS)
  await printed(lines, 2) // it goes on, and has its time for that
  vi.advanceTimersByTime(10_000)
  expect(await watched.ended).toEqual({ code: 1, isSilent: true })
  vi.useRealTimers()
  await eventually(() => !isAlive(Number(lines[0])))
})

test('gives the exit code of a program that ends by itself, and that of a program that is not there', async () => {
  const { watched, lines } = watch(`console.log('done'); process.exitCode = 3`)
  expect(await watched.ended).toEqual({ code: 3, isSilent: false })
  expect(lines).toEqual(['done'])
  const absent = new Watched('/no/such/program', [], { silenceMs: SILENCE_MS, print: () => {} })
  expect(await absent.ended).toEqual({ code: 127, isSilent: false })
})
