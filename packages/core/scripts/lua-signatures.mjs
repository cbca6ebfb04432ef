// The keys and arguments that each script takes, as its header declares them: a script that was overwritten by another of
// the same name takes others.

/**
 * The places of KEYS and ARGV that the header of a script declares.
 *
 * @param {string} file - Its name, for the error.
 * @param {string} lua - Its source.
 * @returns {string} For example `KEYS[1] KEYS[2..] ARGV[1]`.
 * @throws {Error} where the code uses a place that the header does not name.
 */
export function signatureOf(file, lua) {
  const places = (isHeader) => {
    const text = lua
      .split('\n')
      .filter((line) => line.startsWith('--') === isHeader)
      .join('\n')
    return new Set(text.match(/\b(?:KEYS|ARGV)\[[^\]]+\]/g))
  }
  const declared = places(true)
  if (declared.size === 0) throw new Error(`${file}: the header must name each place of KEYS and ARGV`)
  const used = [...places(false)].filter((place) => /\[\d+\]/.test(place))
  const missing = used.filter((place) => !declared.has(place))
  if (missing.length > 0)
    throw new Error(`${file}: the code uses ${missing.join(', ')}, which the header does not name`)
  return [...declared].sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).join(' ')
}

/**
 * The signatures that a generated module was made from.
 *
 * @param {string} module - Its text.
 * @returns {Map<string, string>} By name of the script.
 */
export function signaturesIn(module) {
  return new Map(
    [...module.matchAll(/^\/\/ (\w+): ((?:KEYS|ARGV)\[.*)$/gm)].map(([, name, signature]) => [name, signature]),
  )
}

/**
 * Refuses scripts that take other keys or arguments than before, unless they are named.
 *
 * @param {Map<string, string>} before
 * @param {Map<string, string>} after
 * @param {readonly string[]} changed - Names of scripts that were changed together with their callers.
 * @throws {Error}
 */
export function refuseChanged(before, after, changed) {
  const others = [...after].filter(
    ([name, signature]) => before.has(name) && before.get(name) !== signature && !changed.includes(name),
  )
  if (others.length === 0) return
  const lines = others.map(([name, signature]) => `  ${name}\n    was ${before.get(name)}\n    is  ${signature}`)
  const names = others.map(([name]) => name).join(',')
  throw new Error(
    `these scripts take other keys or arguments than before:\n${lines.join('\n')}\n` +
      'If one was overwritten by another script, give the new one another name. If its callers were changed with it, run ' +
      `node packages/core/scripts/generate-lua.mjs --changed=${names}`,
  )
}
