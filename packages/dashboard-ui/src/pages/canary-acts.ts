/** Acts on a canary deployment: their words, and what they send. Pure. */

import type { DeploymentAct, DeploymentRow } from '@arq-ts/dashboard/api'
import { percent } from '../format/number.ts'

/** An act: its button, a sentence about its effect, and the body of its request where it has one. */
interface Act {
  verb: string
  icon: string
  does: (row: DeploymentRow) => string
  body?: (row: DeploymentRow) => object
}

/** Acts on a deployment. An approval names the stage that the page shows: another one may have begun since. */
export const canaryActs: Record<DeploymentAct, Act> = {
  approve: {
    verb: 'Approve the stage',
    icon: 'check',
    does: ({ stages, currentStage }) =>
      `The deployment continues past the stage of ${percent((stages[currentStage]?.percentage ?? 0) / 100)} once its guards hold.`,
    body: ({ currentStage }) => ({ stage: currentStage }),
  },
  pause: {
    verb: 'Pause',
    icon: 'pause',
    does: ({ share }) =>
      `Traffic stays at ${percent(share.configured / 100)}. Guards are not looked at until somebody resumes it.`,
  },
  resume: { verb: 'Resume', icon: 'play', does: () => 'The present stage starts over, with new measurements.' },
  promote: {
    verb: 'Promote',
    icon: 'arrow-right',
    does: ({ alias, newCollection, stages, currentStage }) =>
      `A worker switches ${alias} to ${newCollection} now, for all traffic. ${stages.length - currentStage - 1} stages are skipped, and no guard is asked.`,
  },
  rollback: {
    verb: 'Roll back',
    icon: 'undo-2',
    does: ({ alias, oldCollection }) =>
      `All traffic of ${alias} goes to ${oldCollection} again, and the deployment ends.`,
  },
}
