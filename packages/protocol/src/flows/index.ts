/** Graphs of jobs: what becomes of each member by how those before it ended. */
export * from './graph.ts'
export * from './machine.ts'
export * from './references.ts'
export * from './replay.ts'
