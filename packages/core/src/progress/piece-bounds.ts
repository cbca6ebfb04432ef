/** Bytes of pieces of results that may wait where a handler does not: neither a worker nor a sandbox fills its memory. */
export const MAX_PIECES_BYTES = 4_194_304
/** Bytes as which a small piece counts at least: its entry, or its message, takes more than its value. */
export const MIN_PIECE_BYTES = 64
