// What comes from jobs, such as the text of an error, must not move the cursor of the terminal that it is shown on.

/** Without any control character, on one line. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}]/gu, (character) => (character === '\u001B' ? '' : ' '))
}

/** Lines that may have colours, and nothing else that is not text. */
export function printableLines(text: string): string {
  return text.replace(/\p{Cc}\[[\d;]*m|[\p{Cc}\p{Bidi_Control}]/gu, (found) =>
    found.startsWith('\u001B[') || found === '\n' || found === '\t' ? found : printable(found),
  )
}
