import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { useCommand } from '../support/command.ts'

const bench = useCommand()

/** Options of a Node that does not import these packages. */
function without(...packages: string[]): { NODE_OPTIONS: string } {
  const hook = `const refused = ${JSON.stringify(packages)}
  export async function resolve(name, context, next) {
    if (refused.some((each) => name === each || name.startsWith(each + '/'))) throw new Error('imports ' + name)
    return next(name, context)
  }`
  const hookUrl = `data:text/javascript,${encodeURIComponent(hook)}`
  const start = `import { register } from 'node:module'; register(${JSON.stringify(hookUrl)})`
  return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(start)}` }
}

describe('start-up', () => {
  test.each(['--help', '-h', '--version', '-V'])(
    '%s is answered without a parser, as the parser would',
    async (flag) => {
      const env = without('yargs', 'zod', 'ioredis', '@arq-ts/core', '@arq-ts/protocol')
      const answered = await bench.run([flag], { redis: false, env })
      const parsed = await bench.run([flag, flag], { redis: false })
      expect(answered).toEqual({ code: 0, stderr: '', stdout: parsed.stdout })
      expect(answered.stdout).not.toBe('')
      // A bundle has the parser inside, and not what its grammar needs.
      const { stderr } = await bench.run([flag, flag], { redis: false, env })
      expect(stderr).toMatch(/imports (yargs|@arq-ts\/protocol)/)
    },
  )

  test('a worker process that was started early is taken once, and all end when nobody sends them work', async () => {
    const built = (name: string) => new URL(`../../dist/worker/${name}.js`, import.meta.url)
    const script = `import { endEarly, forkEarly, setChildScript, takeChild } from '${built('fork').href}'
      setChildScript('${fileURLToPath(built('child'))}')
      delete process.getBuiltinModule // Node 22.2 has none
      forkEarly()
      const children = [takeChild(), takeChild()]
      forkEarly()
      endEarly()
      children.push(takeChild())
      for (const child of children) child.disconnect()
      const codes = await Promise.all(children.map((child) => new Promise((resolve) => child.once('exit', resolve))))
      console.log(JSON.stringify([new Set(children).size, codes]))`
    const file = join(bench.folder(), 'fork.mjs')
    writeFileSync(file, script)
    const stdout = await new Promise<string>((resolve) => {
      execFile(process.execPath, [file], (error, text) => resolve(error?.message ?? text))
    })
    expect(stdout).toBe('[3,[0,0,0]]\n')
  })

  test('no process is left behind by a call that is refused', async () => {
    const { code, stderr } = await bench.run(['worker', './tasks.mjs', '--max-jobs', 'abc'])
    expect(stderr).toContain('--max-jobs')
    expect(code).toBe(2) // it would not have ended: the process has our output
  })

  test('a supervisor loads no client of Redis, no codec, and no reader of files that it does not have', async () => {
    const files = ['pino-pretty', 'yaml', 'smol-toml', 'chokidar', 'tsx']
    const others = ['ioredis', 'msgpackr', 'lossless-json', 'croner', 'prom-client', 'cli-table3']
    const module = fileURLToPath(new URL('../../dist/commands/worker.js', import.meta.url))
    const error = await new Promise<Error | null>((resolve) => {
      const env = { ...process.env, ...without(...files, ...others) }
      execFile(process.execPath, [module], { env }, resolve)
    })
    expect(error?.message).toBeUndefined()
  })
})
