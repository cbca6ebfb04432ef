/** What a payload may be at most, read or written. Redis itself takes 512 MiB per value. */
export const MAX_PAYLOAD_BYTES = 64 * 1024 * 1024

/** How deep values may nest: far beyond honest payloads, far below the call stack. */
export const MAX_DEPTH = 500
