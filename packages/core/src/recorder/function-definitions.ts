import type { Keys } from '@arq-ts/protocol/jobs'
import type { z } from 'zod'
import { CallPacker } from './call-packer.ts'
import type { AnyLimit, Rate } from '../limits/limit.ts'
import type { Schema } from '../tasks/schema.ts'
import type { RecorderPart } from './recorder.ts'

const TTL_MS = 86_400_000
const REFRESH_MS = TTL_MS / 4
const MAX_SCHEMA_BYTES = 16_384

/** A limit as a task declares it. */
export interface DeclaredLimit {
  name: string
  /** Jobs that run at a time; null for any number. */
  concurrency: number | null
  /** Rate at which jobs start; null for no bound. */
  rate: Rate | null
  /** True where each key has a limit of its own. */
  isKeyed: boolean
}

/** A function as its workers have it. */
export interface FunctionDefinition {
  isCron: boolean
  timeoutMs: number
  maxTries: number
  keepResultMs: number
  /** Limits that bound the starts of its jobs, as its task declares them. */
  limits: DeclaredLimit[]
  /** Kind of sandbox in which its jobs run; null if they run in the worker's own thread. */
  sandbox: 'thread' | 'process' | null
  /** Bounds of the chunks in which its jobs run; null if each job runs by itself. */
  chunk: { size: number; waitMs: number } | null
  /** Its parameters as JSON Schema, in Python's positional order; null for a function without a schema. */
  params: object | null
}

/** Writes the definitions of a worker's functions, so that forms and lists know them; they expire after a day. */
export class FunctionDefinitions implements RecorderPart {
  readonly #keys: Keys
  readonly #definitions: ReadonlyMap<string, () => FunctionDefinition>
  #writtenMs = -Infinity

  constructor(keys: Keys, definitions: ReadonlyMap<string, () => FunctionDefinition>) {
    this.#keys = keys
    this.#definitions = definitions
  }

  collect(nowMs: number): CallPacker['calls'] {
    if (nowMs - this.#writtenMs < REFRESH_MS || isLoading()) return []
    this.#writtenMs = nowMs
    const packer = new CallPacker()
    for (const [name, definition] of this.#definitions) {
      packer.add([this.#keys.obsFunction(name)], (key) => ['set', key, JSON.stringify(definition()), TTL_MS])
    }
    return packer.calls
  }
}

/** The limits of a task as its definition has them. */
export function declaredLimits(limits: readonly AnyLimit[] = []): DeclaredLimit[] {
  return limits.map(({ concurrency = null, key, name, rate = null }) => ({
    name,
    concurrency,
    rate,
    isKeyed: key !== undefined,
  }))
}

type ZodCore = Pick<typeof z, 'toJSONSchema'>

/** zod's writer of JSON Schema; null where the process has no zod, and so no schemas. */
let zodCore: ZodCore | null | undefined
let loading: Promise<void> | undefined

/** True until zod is there. It is loaded by workers that record alone. */
function isLoading(): boolean {
  loading ??= import('zod/v4/core').then(
    (core) => void (zodCore = core),
    () => void (zodCore = null),
  )
  return zodCore === undefined
}

/** A task's parameters as JSON Schema; null where there are none, or where no schema can describe them. */
export function jsonSchemaOf(params: Schema | undefined): object | null {
  if (!params || !zodCore) return null
  try {
    const schema = zodCore.toJSONSchema(params as unknown as z.core.$ZodType, { io: 'input', unrepresentable: 'any' })
    return JSON.stringify(schema).length <= MAX_SCHEMA_BYTES ? schema : null
  } catch {
    return null
  }
}
