import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Child } from '@arq-ts/test-support'

const main = fileURLToPath(new URL('../../../cli/dist/main.js', import.meta.url))
const cli = new URL('../../../cli/dist/cli.js', import.meta.url).href
/** The packages as an application installs them. */
const modules = fileURLToPath(new URL('../../../../examples/node_modules', import.meta.url))

export interface Ran {
  code: number
  stdout: string
  stderr: string
}

/** The folder of an application: its configuration, its packages, and the command in it. */
export class Installed {
  readonly #folder = mkdtempSync(join(tmpdir(), 'arq-ts-canary-'))
  readonly #redis: string

  /** @param files - by name, such as `arq-ts.yaml`. */
  constructor(redis: string, files: Readonly<Record<string, string>>) {
    this.#redis = redis
    symlinkSync(modules, join(this.#folder, 'node_modules'))
    for (const [name, text] of Object.entries(files)) writeFileSync(join(this.#folder, name), text)
  }

  /** Runs the built command in this process: a process for each verb would be slow. */
  async run(...words: string[]): Promise<Ran> {
    const { runCommand } = (await import(cli)) as { runCommand: (words: string[], io: object) => Promise<number> }
    const text = { stdout: '', stderr: '' }
    const sink = (name: 'stdout' | 'stderr') => ({ write: (chunk: string) => (text[name] += chunk) })
    const io = { stdout: sink('stdout'), stderr: sink('stderr'), stdin: {}, env: {}, cwd: this.#folder }
    const code = await runCommand([...words, '--redis', this.#redis], io)
    return { code, ...text }
  }

  /** Returns the answer of a verb; throws its failure. */
  async json<T>(...words: string[]): Promise<T> {
    const { stderr, stdout } = await this.run(...words, '--json')
    if (stdout === '' || stdout.startsWith('{"ok":false')) throw new Error(`${words.join(' ')}: ${stdout}${stderr}`)
    return JSON.parse(stdout) as T
  }

  start(...words: string[]): Child {
    return new Child(process.execPath, [main, ...words, '--redis', this.#redis], { cwd: this.#folder })
  }

  /** A package as the application imports it. */
  async import<T>(name: string): Promise<T> {
    return (await import(pathToFileURL(join(modules, name, 'dist/index.js')).href)) as T
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
