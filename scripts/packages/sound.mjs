// Checks of a single tarball: publint, "are the types wrong", and the files that its manifest and source maps name.
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { quietly, root } from '../lib/command.mjs'

/** Checks a tarball. @throws Error that names each problem. */
export async function checkTarball({ name, tarball }, out) {
  await quietly(process.execPath, [join(root, 'node_modules/publint/src/cli.js'), 'run', tarball, '--strict'])
  // esm-only: Node 20.19 and newer can `require` an ES module.
  const attw = join(root, 'node_modules/@arethetypeswrong/cli/dist/index.js')
  await quietly(process.execPath, [attw, tarball, '--profile', 'esm-only'])
  const folder = join(out, 'unpacked', name)
  mkdirSync(folder, { recursive: true })
  await quietly('tar', ['-xzf', tarball, '-C', folder])
  const problems = [...missingFiles(join(folder, 'package')), ...danglingMaps(join(folder, 'package'))]
  if (problems.length > 0) throw new Error(`${name}: ${problems.slice(0, 5).join('; ')}`)
}

/** Files that the manifest lists by name, and that the tarball lacks. */
function missingFiles(folder) {
  const { files } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  return ['package.json', ...files]
    .filter((file) => !/[*!]/.test(file) && !existsSync(join(folder, file)))
    .map((file) => `the manifest lists ${file}, which is not packed`)
}

/** Source maps that name files which are not in the tarball. */
function danglingMaps(folder) {
  const maps = readdirSync(join(folder, 'dist'), { recursive: true })
    .filter((file) => file.endsWith('.map'))
    .map((file) => join(folder, 'dist', file))
  if (maps.length === 0) return ['it has no source maps']
  return maps.flatMap((map) => {
    const { sources, sourcesContent } = JSON.parse(readFileSync(map, 'utf8'))
    const lost = sources.filter((source, i) => sourcesContent?.[i] == null && !existsSync(join(dirname(map), source)))
    return lost.map((source) => `${map.slice(folder.length + 1)} names ${source}, which is not packed`)
  })
}
