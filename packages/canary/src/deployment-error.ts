import { ArqError } from '@arq-ts/core'

/** A deployment cannot be started, cannot be read, or is not in a state for the operation. */
export class DeploymentError extends ArqError {
  readonly code = 'ARQ_DEPLOYMENT'
}
