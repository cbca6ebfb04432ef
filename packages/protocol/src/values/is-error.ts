/** True for an Error of any realm, such as Node's own to what runs in a `vm` context. */
export function isError(value: unknown): value is Error {
  return value instanceof Error || Object.prototype.toString.call(value) === '[object Error]'
}
