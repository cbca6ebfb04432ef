import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const run = promisify(execFile)

/** True where the optional package with the native decoder was installed for this machine. */
function hasNative(): boolean {
  try {
    const require = createRequire(createRequire(import.meta.url).resolve('msgpackr'))
    return typeof (require('msgpackr-extract') as { extractStrings?: unknown }).extractStrings === 'function'
  } catch {
    return false
  }
}

test.skipIf(!hasNative())('a process loads the native decoder once it has decoded a mebibyte, not before', async () => {
  const script = `
    import * as msgpackr from 'msgpackr/unpack'
    import { decodeMsgpack, encodeMsgpack } from '${new URL('../../src/msgpack/msgpack.ts', import.meta.url).href}'
    const quarter = encodeMsgpack('x'.repeat(300_000))
    for (let i = 0; i < 3; i++) decodeMsgpack(quarter)
    await new Promise(setImmediate)
    const before = msgpackr.isNativeAccelerationEnabled
    for (let i = 0; i < 3; i++) decodeMsgpack(quarter)
    while (!msgpackr.isNativeAccelerationEnabled) await new Promise(setImmediate)
    console.log(JSON.stringify([before, decodeMsgpack(quarter).length]))`
  const args = ['--import', import.meta.resolve('tsx'), '--conditions', 'arq-ts-source', '--input-type=module', '-e']
  const { stdout } = await run(process.execPath, [...args, script], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    timeout: 15_000,
  })
  expect(JSON.parse(stdout)).toEqual([false, 300_000])
})
