/** Python values that JavaScript has no type of its own for. */
export * from './values.ts'
export {
  fromOtherRealm,
  inThisRealm,
  isAbortSignal,
  isDate,
  isError,
  isMap,
  isPromise,
  isSet,
  optionNames,
} from './realms.ts'
