// The pages that a reader follows, and their blocks and comments for the checks.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../lib/command.mjs'

export const PACKAGES = ['core', 'qdrant', 'write-behind', 'canary', 'dashboard', 'testkit', 'protocol']

const markdown = (folder) =>
  readdirSync(join(root, folder))
    .filter((file) => file.endsWith('.md'))
    .map((file) => join(folder, file))

export const pages = [
  'README.md',
  ...markdown('docs'),
  ...markdown('docs/guides'),
  ...[...PACKAGES, 'cli'].map((name) => `packages/${name}/README.md`),
]

const PART =
  /<!-- (?<kind>given|setup):\s*(?<code>[\s\S]*?)\s*-->|(?:<!-- not run: (?<reason>[^>]*?) -->\s*)?^```(?<language>ts|js|sh|bash|console)\n(?<source>[\s\S]*?)^```$/gm

/**
 * Comments and blocks of a page, in their order.
 *
 * @returns {Generator<{ given: string } | { setup: string, line: number } | { language: string, source: string, line: number, notRun: string | undefined }>}
 */
export function* partsOf(page) {
  const text = readFileSync(join(root, page), 'utf8')
  for (const match of text.matchAll(PART)) {
    const line = text.slice(0, match.index).split('\n').length
    const { kind, code, reason, language, source } = match.groups
    if (kind !== undefined) yield { [kind]: code, line }
    else yield { language, source, line, notRun: reason?.replace(/\s+/g, ' ') }
  }
}
