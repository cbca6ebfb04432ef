/** The jobs that look at a deployment: one for each state it is in, so that however many ask for it, one comes. */
import type { Client } from '@arq-ts/core'
import { configOf } from './config.ts'
import type { Deployment } from './types.ts'

export const RUN_CANARY_DEPLOYMENT = 'run_canary_deployment'

const mark = ':tick:'

/** The job that looks at a deployment in this state. */
export function tickId({ id, tick }: Deployment): string {
  return `${id}${mark}${tick}`
}

export function isTick(jobId: string, deploymentId: string): boolean {
  return jobId.startsWith(`${deploymentId}${mark}`)
}

/** Enqueues it for when it is due. `again` makes it another one, where that job is lost and its id may still be taken. */
export async function enqueueTick(client: Client, deployment: Deployment, nowMs: number, again = ''): Promise<void> {
  await client.enqueue(RUN_CANARY_DEPLOYMENT, [], {
    jobId: `${tickId(deployment)}${again}`,
    deferByMs: Math.max(0, deployment.nextTickAtMs - nowMs),
    kwargs: kwargsOf(deployment),
  })
}

/** Arguments by the Python application's names. */
function kwargsOf(deployment: Deployment): Record<string, unknown> {
  return {
    deployment_id: deployment.id,
    deployment_config: configOf(deployment),
    auto_rollback: deployment.autoRollback,
  }
}
