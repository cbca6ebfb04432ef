// Every repetition is bounded and starts at a literal: a megabyte of any text costs one pass. A backslash and what
// follows is one character, as in JSON; an escaped line end is an end all the same.
const USER_INFO = /(:\/\/[^\s:/@"]{0,128}:)(?:[^\s"\\]|\\[^nrt]){1,512}@/g
const QUERY =
  /([?&][\w.-]{0,32}(?:password|passwd|passphrase|pwd|pass|secret|token|credentials?|key|auth|signature|sig)=)(?:[^\s&"\\]|\\[^nrt]){1,512}/gi

/**
 * Hides the passwords of all URLs in a string, those of their queries too: `redis://user:***@host:6379/1`. Up to the last
 * `@`, since passwords are often pasted unescaped; it rather hides too much.
 */
export function maskSecrets(text: string): string {
  if (text.includes('://')) text = text.replace(USER_INFO, '$1***@')
  return text.includes('=') ? text.replace(QUERY, '$1***') : text
}

/** Words that make a name secret wherever they stand in it, in snake_case. */
const SECRET_PART =
  /passw(?:or)?d|passphrase|passcode|pwd|secret|token|credential|authorization|bearer|cookie|(?:api|access|private|signing|signature|encryption|master|account|shared|auth|client|service|session|ssh|licen[cs]e)_?keys?|(?:^|_)(?:auth|jwt|creds?|sig|signature)(?:_|$)|pass$|auth$|^keys?$/
/** Endings of names that are about a secret, without being one. */
const NO_SECRET = /(?:^|_)(?:file|path|url|uri|host|name|prefix|id|type|mode|ttl|timeout|limit|count)$/

/** True where a setting of this name is a secret: `redis_password`, `secretAccessKey`, `auth`; not `key_file` or `token_url`. */
export function isSecretName(name: string): boolean {
  const snake = name
    .replace(/([a-z\d])([A-Z])/g, '$1_$2')
    .replace(/[\s.-]/g, '_')
    .toLowerCase()
  return SECRET_PART.test(snake) && !NO_SECRET.test(snake)
}

/**
 * A setting's value for a screen: what stands under a secret name is hidden at any depth, and so are the passwords within
 * strings; see `maskText`.
 */
export function maskSetting(name: string, value: unknown): unknown {
  if (value === undefined || value === null) return value
  if (isSecretName(name.split('.').at(-1)!)) return '***'
  if (typeof value === 'string') return maskText(value)
  if (Array.isArray(value)) return value.map((item) => maskSetting('', item))
  if (typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, maskSetting(key, inner)]))
}

/**
 * A string that a person gave as a setting, for a screen. As it may be written wrongly, all before the last `@` is hidden
 * but scheme and user, what stands for a port and is none, and what is assigned to a secret name (`token=…`,
 * `"password": "…"`).
 */
export function maskText(text: string): string {
  return maskAssignments(maskAddress(text))
}

/** `user:password@` without a scheme, as one word. */
const BARE_USER_INFO = /(?<![^\s"'(])[^\s:/@"'(]{1,64}:(?!\/\/)[^\s@"']{1,256}@/g

/**
 * A message that a program wrote, for a screen: passwords of URLs and of `user:password@host` are hidden, and what is
 * assigned to a secret name. Other words stay, addresses of people among them: a group of errors is recognized by its words.
 */
export function maskMessage(text: string): string {
  const urls = maskSecrets(text)
  return maskAssignments(urls.includes('@') ? urls.replace(BARE_USER_INFO, '***@') : urls)
}

function maskAddress(text: string): string {
  const at = text.lastIndexOf('@')
  if (at > 0 && text.slice(0, at).includes(':')) {
    const [shown = ''] = /^[a-z][a-z0-9+.-]*:\/\/(?:[^\s:/@]*:)?/i.exec(text) ?? []
    return `${shown.length < at ? shown : ''}***${text.slice(at)}`
  }
  // redis://user:password, where the host was left out.
  return text.replace(/^([a-z][a-z0-9+.-]*:\/\/(?:[^\s:/@[\]]+:(?!\d{1,5}(?:[/?#,]|$))|:)).+$/is, '$1***')
}

const ASSIGNED_NAME = /([\w.-]{1,64})["']?\s{0,8}[=:]\s{0,8}/g
const ASSIGNED_VALUE = /(?:(?:bearer|basic)\s+)?(?:"[^"]*"?|'[^']*'?|[^\s&;,}]+)/iy

function maskAssignments(text: string): string {
  let masked = ''
  let from = 0
  for (const { 0: assignment, 1: name = '', index } of text.matchAll(ASSIGNED_NAME)) {
    if (index < from || !isSecretName(name)) continue
    ASSIGNED_VALUE.lastIndex = index + assignment.length
    if (!ASSIGNED_VALUE.test(text)) continue
    masked += `${text.slice(from, index + assignment.length)}***`
    from = ASSIGNED_VALUE.lastIndex
  }
  return masked + text.slice(from)
}
