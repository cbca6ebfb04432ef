import { dirname, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const packages = fileURLToPath(new URL('../../../', import.meta.url))

/** The modules that a process loads with an entry, dynamic imports left out. */
export interface ModuleGraph {
  /** Files of this workspace, as `core/src/client/client.ts`. */
  files: string[]
  /** Packages from the registry. */
  packages: string[]
}

/** The module that the build fills with the parts of zod it names. */
const BUNDLED = 'core/src/options/zod.ts'

/** Follows the static imports of a source file, as they are once it is built. */
export async function modulesOf(entry: string): Promise<ModuleGraph> {
  const root = fileURLToPath(new URL(entry, `file://${packages}`))
  const { metafile } = await build({
    absWorkingDir: packages,
    entryPoints: [root],
    outdir: dirname(root),
    bundle: true,
    splitting: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'node',
    conditions: ['arq-ts-source'],
    plugins: [
      {
        name: 'registry-is-external',
        setup: ({ onResolve }) => {
          onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
            kind === 'entry-point' || path.startsWith('@arq-ts/') ? undefined : { path, external: true },
          )
        },
      },
    ],
  })
  const files = new Set<string>()
  const found = new Set<string>()
  const visit = (file: string) => {
    if (files.has(file)) return
    files.add(file)
    if (file === BUNDLED) return
    for (const { kind, path, external } of metafile.inputs[file]?.imports ?? []) {
      if (kind !== 'import-statement') continue
      if (external) found.add(nameOf(path))
      else visit(path)
    }
  }
  visit(relative(packages, root))
  return { files: [...files], packages: [...found].filter((name) => !name.startsWith('node:')) }
}

function nameOf(path: string): string {
  return path
    .split('/')
    .slice(0, path.startsWith('@') ? 2 : 1)
    .join('/')
}
