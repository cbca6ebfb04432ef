// Runs the same tests by vitest, jest and node:test. A project has one of them, and calls it in its own way.
import { execFile } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const bin = (name, file) => join(here, '..', 'node_modules', name, file)
const runners = {
  'node:test': ['--test', '--test-reporter=tap', 'reminders.node.mjs'],
  vitest: [bin('vitest', 'vitest.mjs'), 'run', '--root', '.', '--config', 'vitest.config.mjs'],
  // jest runs ES modules by Node's own loader.
  jest: ['--experimental-vm-modules', '--no-warnings', bin('jest', 'bin/jest.js'), '--config', 'jest.config.mjs'],
}
const env = { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined, VITEST: undefined, NODE_TEST_CONTEXT: undefined }

for (const [name, args] of Object.entries(runners)) {
  const { code, output } = await new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: here, env }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, output: stdout + stderr }),
    )
  })
  const passed = /# pass (\d+)|Tests\s+(\d+) passed|Tests:\s+(\d+) passed/.exec(output)?.slice(1).find(Boolean)
  console.log(`${name}: ${passed ?? 0} passed`)
  if (code !== 0) {
    console.error(output)
    process.exitCode = 1
  }
}
