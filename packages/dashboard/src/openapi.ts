import { version } from './version.ts'

const READS: readonly (readonly [path: string, summary: string, query?: readonly string[]])[] = [
  ['bootstrap', 'What the pages need first: the user, rights, queues, features'],
  ['overview', 'What is wrong now, and every queue in numbers'],
  ['forecast', 'Arrivals of the next 24 hours of all queues'],
  ['queues', 'Every queue in numbers'],
  ['queues/{id}', 'One queue and who serves it'],
  ['queues/{id}/forecast', 'Arrivals of the next 24 hours of a queue'],
  ['jobs', 'A page of jobs', ['q', 'cursor', 'limit']],
  ['jobs/{id}', 'Everything about a job', ['queue']],
  ['jobs/{id}/explain', 'Why a job runs, or does not', ['queue']],
  ['jobs/{id}/history', "A job's tries, and the changes to it", ['queue']],
  ['jobs/{id}/logs', "A job's logs and progress", ['after']],
  ['jobs/{id}/logs/stream', "A job's logs and progress as server-sent events", ['after', 'queue']],
  ['functions', 'The capability map'],
  ['workers', 'Workers of both languages'],
  ['flows', 'Flows, newest first'],
  ['flows/{id}', 'One flow as a graph'],
  ['schedules', 'Schedules made at run time, with coming ticks', ['coming', 'from', 'to']],
  ['schedules/{id}', 'One schedule with its call and its next ticks'],
  ['ticks', 'The next ticks of a rule', ['cron', 'timeZone', 'everyMs', 'startAtMs', 'atMs']],
  ['limits', 'Limits with their bounds and counts'],
  ['limits/{id}', 'One limit, the jobs that have its places, and those that wait', ['key']],
  ['cron', 'Cron jobs with coming, past and missed ticks', ['from', 'to']],
  ['errors', 'Errors by fingerprint', ['state']],
  ['errors/{id}', 'One error and its jobs'],
  ['series', 'A recorded series', ['metric', 'by', 'from', 'to', 'step', 'queue', 'function']],
  ['heatmap', 'A heat map of run times', ['of', 'from', 'to', 'step', 'queue', 'function']],
  ['events', 'Recorded events', ['after', 'limit']],
  ['audit', 'The audit log', ['after', 'limit']],
  ['canaries', 'Canary deployments'],
  ['canaries/{id}', 'A canary deployment with its guards and minutes'],
  ['cache', 'The write-behind cache and a page of its dirty keys', ['cursor']],
  ['deletions', 'A page of scheduled deletions of collections', ['cursor']],
  ['doctor', 'What is wrong with the fleet', ['limit']],
]

const CHANGES: readonly (readonly [path: string, summary: string])[] = [
  ['jobs', 'Enqueues a job'],
  ['jobs/{id}/retry', 'Runs a failed job again'],
  ['jobs/{id}/abort', 'Asks for the abort of a job'],
  ['jobs/{id}/remove', 'Removes a job that does not run'],
  ['jobs/{id}/clone', 'Enqueues a copy of a job, edited where arguments are given'],
  ['jobs/{id}/run-now', 'Makes a waiting job due now'],
  ['queues/{id}/pause', 'Pauses a queue'],
  ['queues/{id}/resume', 'Resumes a queue'],
  ['cron/{id}/run', 'Enqueues one run of a cron job now'],
  ['schedules/{id}', 'Makes or changes a schedule'],
  ['schedules/{id}/pause', 'Pauses a schedule'],
  ['schedules/{id}/resume', 'Resumes a schedule'],
  ['schedules/{id}/run', 'Enqueues one run of a schedule now'],
  ['schedules/{id}/remove', 'Removes a schedule'],
  ['flows/{id}/cancel', 'Cancels a flow'],
  ['flows/{id}/replay', 'Runs a flow again, or only its failed part'],
  ['limits/{id}', 'Sets a limit, or one key of it'],
  ['limits/{id}/clear', 'Restores the declared bounds of a limit'],
  ['cron/{id}/pause', 'Pauses a cron job'],
  ['cron/{id}/resume', 'Resumes a cron job'],
  ['errors/{id}/mute', 'Mutes an error'],
  ['errors/{id}/resolve', 'Marks an error as resolved'],
  ['errors/{id}/reopen', 'Opens an error again'],
  ['canaries/{id}/approve', 'Approves the stage of a deployment'],
  ['canaries/{id}/pause', 'Pauses a deployment'],
  ['canaries/{id}/resume', 'Resumes a deployment'],
  ['canaries/{id}/promote', 'Promotes the new collection'],
  ['canaries/{id}/rollback', 'Rolls a deployment back'],
  ['cache/flush', 'Persists one dirty key now, or all'],
  ['deletions/{id}/cancel', 'Takes a scheduled deletion back'],
  ['plans', 'Freezes what an act would touch'],
  ['plans/{id}/run', 'Runs a frozen plan'],
  ['undo/{id}', 'Undoes an act'],
]

/** The API as OpenAPI 3.1. Bodies and answers are typed in `@arq-ts/dashboard/api`. */
export function openApi(): object {
  const paths: Record<string, Record<string, object>> = {}
  for (const [path, summary, query = []] of READS) {
    const parameters = [...inPath(path), ...query.map((name) => ({ name, in: 'query', schema: { type: 'string' } }))]
    paths[`/api/${path}`] = { get: { summary, parameters, responses: responses() } }
  }
  for (const [path, summary] of CHANGES) {
    const content = { 'application/json': { schema: { type: 'object' } } }
    const post = { summary, parameters: inPath(path), requestBody: { content }, responses: responses() }
    paths[`/api/${path}`] = { ...paths[`/api/${path}`], post }
  }
  paths['/api/stream'] = {
    get: {
      summary: 'Changes as server-sent events',
      parameters: [{ name: 'topics', in: 'query', schema: { type: 'string' } }],
      responses: { 200: { description: 'Events', content: { 'text/event-stream': {} } } },
    },
  }
  const Error = {
    type: 'object',
    properties: { error: { type: 'object', properties: { code: { type: 'string' }, message: { type: 'string' } } } },
  }
  return { openapi: '3.1.0', info: { title: 'arq-ts dashboard', version }, paths, components: { schemas: { Error } } }
}

function inPath(path: string): object[] {
  const description = 'As lists show it: \\xNN is one byte'
  return path.includes('{id}')
    ? [{ name: 'id', in: 'path', required: true, description, schema: { type: 'string' } }]
    : []
}

function responses(): object {
  const json = (schema: object) => ({ 'application/json': { schema } })
  return {
    200: { description: 'The answer', content: json({ type: 'object' }) },
    default: { description: 'Why it was refused', content: json({ $ref: '#/components/schemas/Error' }) },
  }
}
