/**
 * True for the platform's AbortError: something was cancelled by an AbortSignal. Known by its code too, since other
 * libraries have an AbortError of their own, which says that something failed. Python's `asyncio.CancelledError`.
 */
export function isAbortError(error: Error): boolean {
  const { code } = error as { code?: unknown }
  return error.name === 'AbortError' && (code === 'ABORT_ERR' || code === DOMException.ABORT_ERR)
}
