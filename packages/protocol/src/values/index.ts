/** Python values that JavaScript has no type of its own for. */
export * from './values.ts'
export { fromOtherRealm, inThisRealm, isAbortSignal, isDate, isError, isMap, isPromise, isSet } from './realms.ts'
export { optionNames } from './option-names.ts'
