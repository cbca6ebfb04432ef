import { EncodeError } from '@arq-ts/core'
import { decodeValue, encodeValue } from '@arq-ts/protocol'
import type { CodecName } from '@arq-ts/protocol'

/** A value as it is stored: within a map, by which each codec is known again. @throws EncodeError */
export function encode(value: unknown, codec: CodecName): Uint8Array {
  try {
    return encodeValue({ v: value }, codec)
  } catch (error) {
    if (!(error instanceof EncodeError)) throw error
    throw new EncodeError(error.message.replace(/^`v(?=[`.[])/, '`value'), { cause: error })
  }
}

/** @throws DecodeError */
export function decode(bytes: Uint8Array): unknown {
  return (decodeValue(bytes).value as { v: unknown }).v
}
