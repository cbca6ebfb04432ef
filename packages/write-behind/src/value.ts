import { decodeValue, encodeValue } from '@arq-ts/protocol'
import type { CodecName } from '@arq-ts/protocol'

/** A value as it is stored: within a map, by which each codec is known again. */
export function encode(value: unknown, codec: CodecName): Uint8Array {
  return encodeValue({ v: value }, codec)
}

/** @throws DecodeError */
export function decode(bytes: Uint8Array): unknown {
  return (decodeValue(bytes).value as { v: unknown }).v
}
