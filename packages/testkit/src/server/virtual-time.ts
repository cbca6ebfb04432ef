/** The time of a test queue, put into the commands that would ask Redis for its own. */

import { createHash } from 'node:crypto'
import { encodeCommand } from './commands.ts'
import type { SentCommand } from './commands.ts'

/**
 * Stands before every script, in its first line: the last two arguments are taken off, and answer the script's
 * `redis.call('TIME')`. Everything else of the script is untouched.
 */
const PREAMBLE =
  'local arq_us,arq_s=table.remove(ARGV),table.remove(ARGV) ' +
  'local redis=(function(real) local function timed(call) return function(name,...) ' +
  "if string.upper(name)=='TIME' then return {arq_s,arq_us} end return call(name,...) end end " +
  'return setmetatable({call=timed(real.call),pcall=timed(real.pcall)},{__index=real}) end)(redis) '

const TIME_SCRIPT = 'return {ARGV[1],ARGV[2]}'

/** No script has this digest: the server answers as it does for one that it does not know. */
const UNKNOWN_DIGEST = '0'.repeat(40)

/** Digests of scripts as clients know them, and of the same scripts with the preamble. */
const digests = new Map<string, string>()

/** The command as Redis is to have it at a time of the queue. */
export function atTime({ bytes, parts }: SentCommand, nowMs: number): Buffer {
  const [seconds, micros] = [Math.floor(nowMs / 1_000), Math.round(nowMs % 1_000) * 1_000].map(String) as [
    string,
    string,
  ]
  switch (parts[0]?.toString('latin1').toLowerCase()) {
    case 'time':
      return encodeCommand(['EVAL', TIME_SCRIPT, '0', seconds, micros])
    case 'eval':
      return encodeCommand(['EVAL', timed(parts[1]!), ...parts.slice(2), seconds, micros])
    case 'evalsha': {
      const digest = digests.get(parts[1]!.toString('latin1').toLowerCase()) ?? UNKNOWN_DIGEST
      return encodeCommand(['EVALSHA', digest, ...parts.slice(2), seconds, micros])
    }
    default:
      return bytes
  }
}

function timed(source: Buffer): Buffer {
  const script = Buffer.concat([Buffer.from(PREAMBLE), source])
  digests.set(digestOf(source), digestOf(script))
  return script
}

function digestOf(source: Buffer): string {
  return createHash('sha1').update(source).digest('hex')
}
