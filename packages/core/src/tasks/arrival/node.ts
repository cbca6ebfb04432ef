import type { CodecName } from '@arq-ts/protocol/jobs'
import type { Path } from './as-is.ts'

/** One schema's part in bringing values over the wire. */
export interface Node {
  /** The input with undefined keys left out. @throws Refusal for a part that this codec would change for good. */
  clean(value: unknown, codec: CodecName, path: Path): unknown
  /** The schema's input, made of what a codec gives. A value of another kind stays as it is, for the schema to refuse. */
  restore(value: unknown): unknown
}
