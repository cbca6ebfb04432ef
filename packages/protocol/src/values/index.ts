/** Python values that JavaScript has no type of its own for. */
export * from './values.ts'
