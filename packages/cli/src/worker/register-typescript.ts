/** Imported by the sandboxes of a worker at their start, in a thread too, where tsx's own flag does nothing on Node 20. */
import { readTypeScript } from './typescript.ts'

await readTypeScript()
