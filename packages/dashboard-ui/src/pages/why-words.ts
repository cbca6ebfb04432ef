/** The words of why a job does not run. Pure. */

/** Reasons that a headline does not say already. It begins with a capital, and its times may be those of another moment. */
export function otherReasons<Reason extends { detail: string }>(
  reasons: readonly Reason[],
  headline: string,
): Reason[] {
  const words = (text: string) => text.toLowerCase().replace(/\d+(\.\d+)?/g, '#')
  return reasons.filter(({ detail }) => words(detail) !== words(headline))
}
