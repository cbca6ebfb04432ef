import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { useCommand } from '../support/command.ts'

const bench = useCommand()

function write(name: string, text: string): void {
  writeFileSync(join(bench.folder(), name), text)
}

describe('config check', () => {
  test('says what a configuration names and is not there, with the line', async () => {
    write(
      'arq-ts.yaml',
      'task_queue:\n  tls:\n    ca_file: ./no.pem\n  tasks:\n    - ./nowhere.js\n    - use: "@nobody/nope"\n    - ./here.js\n',
    )
    write('here.js', '')
    const { code, stdout, stderr } = await bench.run(['config', 'check'], { redis: false })
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    const lines = stderr.trimEnd().split('\n')
    expect(lines).toEqual([
      expect.stringMatching(/^arq-ts: arq-ts\.yaml:3: `tls\.ca_file` cannot be read: ENOENT/) as string,
      expect.stringMatching(
        /^arq-ts\.yaml:5: expected `\.\/nowhere\.js` to be a module of tasks, there is no file \S+nowhere\.js$/,
      ) as string,
      'arq-ts.yaml:6: cannot find the task package @nobody/nope; is it installed here? (npm install @nobody/nope)',
    ])
  })

  test('takes task modules that are next to the file, and packages that are installed there', async () => {
    const folder = join(bench.folder(), 'conf', 'node_modules', 'my-tasks')
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'package.json'), '{"name":"my-tasks","type":"module","exports":"./index.js"}')
    writeFileSync(join(folder, 'index.js'), '')
    write('conf/here.js', '')
    write('conf/arq-ts.toml', '[task_queue]\ntasks = ["./here.js", "my-tasks"]\n')
    expect(await bench.run(['config', 'check', '--config', 'conf/arq-ts.toml'], { redis: false })).toEqual({
      code: 0,
      stdout: 'conf/arq-ts.toml: 1 setting given, nothing is wrong\n',
      stderr: '',
    })
  })

  test('names the flag that is wrong, and shows no password', async () => {
    const { code, stdout, stderr } = await bench.run(['config', 'check', '--redis', 'redis://app:hunter2'], {
      redis: false,
    })
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^arq-ts: --redis: Expected `redis_url` .*, got `"redis:\/\/app:\*\*\*"`\n$/)
  })
})

test.each(['redis://localhost:abc', 'redis://h:99999', 'redis://:p%zz@h'])(
  'an address that cannot be used ends a command with a word, not a stack: %s',
  async (url) => {
    const { code, stderr } = await bench.run(['queue', 'ls', '--redis', url], { redis: false })
    expect(code).toBe(2)
    expect(stderr).toMatch(/^arq-ts: --redis: Expected `redis_url` to be a URL .*\n$/)
  },
)

test('config show hides what task modules are handed under secret names, and secrets in URLs', async () => {
  write(
    'arq-ts.yaml',
    `task_queue:
  tasks:
    - use: '@arq-ts/qdrant'
      with:
        url: http://q:6333/?token=hunter2&key=hunter2&size=3
        aws: { secretAccessKey: hunter2, credentials: { user: hunter2 } }
        passphrase: hunter2
        pwd: hunter2
        passwd: hunter2
        auth: hunter2
        private_key: hunter2
`,
  )
  for (const flags of [[], ['--json']]) {
    const { stdout } = await bench.run(['config', 'show', ...flags])
    expect(stdout).toContain('@arq-ts/qdrant')
    expect(stdout).toContain('size=3')
    expect(stdout).not.toContain('hunter2')
  }
})

test('the environment may say what its variables begin with', async () => {
  const env = { ARQ_TS_ENV_PREFIX: 'AI_DOCS', AI_DOCS_TASK_QUEUE__MAX_JOBS: '7' }
  const { stdout } = await bench.run(['config', 'show'], { env })
  expect(stdout).toMatch(/^max_jobs +7 +AI_DOCS_TASK_QUEUE__MAX_JOBS$/m)
})
