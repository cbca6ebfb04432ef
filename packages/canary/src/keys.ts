/** Names of everything in Redis: the Python application's, and ours below. */
export const keys = (prefix: string) => ({
  route: (alias: string) => `${prefix}canary:routes:${alias}`,
  sticky: (alias: string, user: string) => `${prefix}canary:sticky:${alias}:${user}`,
  latency: (id: string, collection: string, minute: number) =>
    `${prefix}canary:metrics:${id}:${collection}:latency:${minute}`,
  count: (id: string, collection: string, minute: number) =>
    `${prefix}canary:metrics:${id}:${collection}:count:${minute}`,
  errors: (id: string, collection: string, minute: number) =>
    `${prefix}canary:metrics:${id}:${collection}:errors:${minute}`,
  /** Latencies in buckets, ours in addition to Python's list: see `record-script.ts`. */
  histogram: (id: string, collection: string, minute: number) =>
    `${prefix}canary:metrics:${id}:${collection}:histogram:${minute}`,
  /** The same of what only Python's list had, once its minute is over. */
  adopted: (id: string, collection: string, minute: number) =>
    `${prefix}canary:metrics:${id}:${collection}:adopted:${minute}`,
  /** Numbers recorded with requests, an hour to a hash. */
  values: (id: string, collection: string, hour: number) =>
    `${prefix}canary:metrics:${id}:${collection}:values:${hour}`,
  /** The Python application's events: started, completed, failed. */
  events: `${prefix}deployment:events`,
  /** Every decision with its reason. */
  decisions: `${prefix}canary:events`,
  /** Number of decisions, by `<alias>:<event>`: a hash. */
  decided: `${prefix}canary:decided`,
  /** One deployment's state. */
  deployment: (id: string) => `${prefix}canary:deployment:${id}`,
  /** Driver of a deployment. No id makes it the state of another: ids are any string. */
  driver: (id: string) => `${prefix}canary:driver:${id}`,
  /** The deployment that an alias has under way. */
  claim: (alias: string) => `${prefix}canary:alias:${alias}`,
  /** Deployments that have not ended, by when they began. */
  active: `${prefix}canary:active`,
  /** Deployments that have ended, by the time of their end. */
  history: `${prefix}canary:history`,
})

export type Keys = ReturnType<typeof keys>
