import type { Claim } from './broker-calls.ts'
import { readScore } from './scores.ts'
import type { ScriptReply } from './scripts.ts'

/** The jobs that `claim.lua` took, and those it found without a payload. */
export function readClaims(
  reply: ScriptReply[],
  jobIds: readonly string[],
  queueName: string,
  token: string,
): { taken: Claim[]; expired: string[] } {
  const taken: Claim[] = []
  const expired: string[] = []
  for (const [i, jobId] of jobIds.entries()) {
    const score = reply[i + 1]
    if (typeof score === 'number')
      taken.push({ jobId, queueName, token, payload: null, jobTry: 1, abortAskedMs: null, score, deaths: 0 })
    else if (score !== null) expired.push(jobId)
  }
  let at = 1 + jobIds.length
  for (let more = Number(reply[at++]); more > 0; more--) {
    const claim = taken[Number(reply[at]) - 1]!
    const asked = reply[at + 2]!
    claim.jobTry = Number(reply[at + 1])
    claim.abortAskedMs = asked === null ? null : readScore(String(asked))
    claim.deaths = Number(reply[at + 3])
    at += 4
  }
  for (const claim of taken) claim.payload = reply[at++] as Buffer | null
  return { taken, expired }
}
