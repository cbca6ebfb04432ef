/** A command's handler, loaded when it is called: `--help` reads none of them. */
export type Handler = (args: never) => Promise<number>

/** Makes a handler of yargs from one that is loaded when its verb was chosen. */
export type Run = (load: () => Promise<Handler>) => (args: unknown) => void
