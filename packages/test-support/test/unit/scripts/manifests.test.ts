import { existsSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'
import { importScript } from './scripts.ts'

interface Manifest {
  name: string
  repository?: { type: string; url: string; directory: string }
  homepage?: string
  bugs?: unknown
  [field: string]: unknown
}

const { publishedFolders } = await importScript<{ publishedFolders: string[] }>('lib/entries.mjs')
const root = join(publishedFolders[0]!, '../..')
const read = (folder: string) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
const manifests = publishedFolders.map((folder) => ({ folder, ...read(folder) }))

describe('the manifest of a published package', () => {
  test.each(manifests)('of $name says what the package is, and what it needs', (manifest) => {
    expect(manifest).toMatchObject({
      description: expect.stringMatching(/\S/) as string,
      keywords: expect.arrayContaining(['arq']) as string[],
      license: 'MIT',
      type: 'module',
      sideEffects: false,
      engines: { node: read(root)['engines'] ? (read(root)['engines'] as { node: string }).node : '' },
      publishConfig: { access: 'public' },
      files: expect.arrayContaining(['dist', 'src', 'README.md', 'LICENSE']) as string[],
    })
    for (const file of ['README.md', 'LICENSE']) expect(existsSync(join(manifest.folder, file)), file).toBe(true)
  })

  // CONTRIBUTING explains why there is no public address yet.
  test('names the repository in all packages or in none, and its own folder there', () => {
    const addresses = new Set(manifests.map(({ repository }) => repository?.url))
    expect([...addresses]).toHaveLength(1)
    for (const { folder, name, repository, homepage, bugs } of manifests) {
      if (repository) expect(repository, name).toMatchObject({ type: 'git', directory: relative(root, folder) })
      else expect([homepage, bugs], name).toEqual([undefined, undefined])
    }
  })
})
