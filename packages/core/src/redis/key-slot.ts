/** Slots of a Redis Cluster. */
export const SLOTS = 16_384

const CRC16 = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1
  return crc
})
const utf8 = new TextEncoder()

/** The text in the first `{…}` of a key, by which Redis Cluster places it; undefined where there is none. */
export function hashTagOf(key: string): string | undefined {
  const open = key.indexOf('{')
  const close = open === -1 ? -1 : key.indexOf('}', open + 1)
  return close > open + 1 ? key.slice(open + 1, close) : undefined
}

/** The slot that Redis Cluster gives a key: CRC16 of its hash tag, or else of the whole key. */
export function keySlot(key: string): number {
  const hashed = hashTagOf(key) ?? key
  let crc = 0
  for (let i = 0; i < hashed.length; i++) {
    const code = hashed.charCodeAt(i)
    // Nearly all ids are ASCII and need no buffer.
    if (code > 127) return slotOf(utf8.encode(hashed))
    crc = (crc << 8) ^ CRC16[((crc >> 8) ^ code) & 0xff]!
  }
  return crc & (SLOTS - 1)
}

function slotOf(bytes: Uint8Array): number {
  let crc = 0
  for (const byte of bytes) crc = (crc << 8) ^ CRC16[((crc >> 8) ^ byte) & 0xff]!
  return crc & (SLOTS - 1)
}
