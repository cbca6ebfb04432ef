// Settings of `arq-ts worker`: arq's WorkerSettings, in JavaScript.
import { summariseDocument } from './tasks.mjs'

export default {
  tasks: [summariseDocument(process.env.DOCUMENTS_ROOT ?? process.cwd())],
  maxJobs: 10,
  pollDelayMs: 50, // Python announces nothing; what we enqueue ourselves is heard of at once
}
