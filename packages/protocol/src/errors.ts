/** Errors of the wire: of codecs and arguments, and those by which a job ends. */
export * from './errors/wire-errors.ts'
export * from './errors/remote-error.ts'
export * from './errors/thrown.ts'
