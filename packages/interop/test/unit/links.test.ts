import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../../../../', import.meta.url))
const read = (page: string) => readFileSync(join(root, page), 'utf8')
/** Text without its blocks of code, which may look like links and headings. */
const prose = (page: string) => read(page).replace(/^```[\s\S]*?^```$/gm, '')

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(page: string): Set<string> {
  const anchors = new Set<string>()
  for (const [, heading] of prose(page).matchAll(/^#+ (.+)$/gm)) {
    const text = heading!.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase()
    const anchor = text.replace(/[^\p{L}\p{N} _-]/gu, '').replace(/ /g, '-')
    for (let n = 0; ; n++) {
      const name = n === 0 ? anchor : `${anchor}-${n}`
      if (anchors.has(name)) continue
      anchors.add(name)
      break
    }
  }
  return anchors
}

const markdown = (folder: string) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name))
const readmes = readdirSync(join(root, 'packages')).map((name) => join('packages', name, 'README.md'))
const all = [
  ...['.', 'docs', 'docs/guides', 'docs/reference'].flatMap(markdown),
  ...readmes.filter((page) => existsSync(join(root, page))),
]

test.each(all)('the links of %s lead to files and headings that exist', (page) => {
  const broken: string[] = []
  for (const [, target] of prose(page).matchAll(/\]\((?!https?:|mailto:)([^)\s]+)\)/g)) {
    const [file, anchor] = target!.split('#')
    const path = file ? relative(root, join(root, dirname(page), file)) : page
    const isThere = existsSync(join(root, path))
    if (!isThere || (anchor !== undefined && path.endsWith('.md') && !anchorsOf(path).has(anchor))) broken.push(target!)
  }
  expect(broken).toEqual([])
})

test('each claim of the table of features is linked to what proves it: ours to a page of this repository', () => {
  const table = read('README.md').split('## Compared with other queues')[1]!.split('\n## ')[0]!
  const rows = table.match(/^\|.*\|$/gm)!.map((row) =>
    row
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  )
  const [head, , ...features] = rows
  expect(head!.slice(1).map((cell) => /^\[?([\w-]+)/.exec(cell)![1])).toEqual([
    'arq-ts',
    'BullMQ',
    'asynq',
    'streaq',
    'Oban',
    'River',
    'Sidekiq',
    'Hatchet',
  ])
  expect(features.length).toBeGreaterThan(12)
  for (const [feature, ours, ...others] of features) {
    expect(others, feature).toHaveLength(7)
    // The store and the language of a queue stand on the page that its column links to.
    if (feature === 'store') continue
    expect(ours, feature).toMatch(/^\[[^\]]+\]\(docs\/[\w/-]+\.md(#[\w-]+)?\)$/)
    for (const cell of others) {
      if (cell === '–' || (feature === 'languages on one queue' && /^\w+$/.test(cell))) continue
      // A semicolon between claims, not within the text of a link.
      for (const claim of cell.split(/;\s(?![^[]*\]\()/)) expect(claim, feature).toMatch(/\]\(https:\/\/[^)]+\)/)
    }
  }
})
