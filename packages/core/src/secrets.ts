// Every repetition is bounded and starts at a literal: a megabyte of any text costs one pass. A backslash and what
// follows is one character, as in JSON; an escaped line end is an end all the same.
const USER_INFO = /(:\/\/[^\s:/@"]{0,128}:)(?:[^\s"\\]|\\[^nrt]){1,512}@/g
const QUERY = /([?&](?:sentinel)?password=)(?:[^\s&"\\]|\\[^nrt]){1,512}/gi

/**
 * Hides the passwords of all URLs in a text: `redis://user:***@host:6379/1`. Up to the last `@`, since passwords are
 * often pasted unescaped; it rather hides too much.
 */
export function maskSecrets(text: string): string {
  if (text.includes('://')) text = text.replace(USER_INFO, '$1***@')
  return text.includes('assword=') ? text.replace(QUERY, '$1***') : text
}
