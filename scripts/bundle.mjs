// Bundles the code of published packages: a file for each entry, and files for shared code, instead of a file for each
// module. Node loads 20 files faster than 300. Development runs the output of `tsc -b`; packing runs this script.
//
//   node scripts/bundle.mjs FOLDER...             puts bundles in place of the modules in `dist`; `tsc -b` writes those anew
//   node scripts/bundle.mjs --restore FOLDER...   puts the modules back
//   node scripts/bundle.mjs --out OUT FOLDER      writes the bundles of one package to another folder
//   node scripts/bundle.mjs --over FOLDER...      puts bundles over the entries in `dist` and leaves all other modules: processes
//                                                 of tests start in half of the time, by the code that is published
//   node scripts/bundle.mjs --under FOLDER...     takes those away again
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { builtinModules } from 'node:module'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { rolldown } from 'rolldown'
import { esmExternalRequirePlugin } from 'rolldown/plugins'

/** Modules with which our processes and threads start: no entry imports them. */
const STARTED = {
  '@arq-ts/core': ['sandbox/entry'],
  '@arq-ts/cli': ['worker/child', 'worker/register-typescript'],
}
/** The one of the repository, for the package that lists it among its files. */
const CHANGES = 'CHANGELOG.md'
/** File that `tsc -b` writes next to its modules, and no bundle has. */
const BUILD_STATE = '.tsbuildinfo'
/** The module of core that the bundle fills with the parts of zod it names; all other packages stay imports. */
const ZOD_PARTS = /core\/src\/options\/zod\.ts$/
const ZOD_LICENSE = '/* Has parts of zod. MIT License, Copyright (c) 2025 Colin McDonnell. */'
/**
 * Dependencies that a bundle has inside, with all that they need: their own 100 files take Node longer to find and load
 * than to run. They stay in the manifest, for their declarations.
 */
const INLINED = { '@arq-ts/core': ['ioredis'], '@arq-ts/cli': ['yargs'] }
/** Dependencies of a file or two, without classes: a copy in each bundle that imports them, where a module of its own would be loaded. */
const SMALL = ['leven', 'parse-duration']
/**
 * Modules that one file has, instead of a file for each set of entries that share them: whatever loads one loads nearly all,
 * and each file costs half a millisecond. The protocol has none: front ends bundle parts of it, and a file is the least they take.
 */
const GROUPS = {
  '@arq-ts/core': { options: /core\/src\/(options\/(arguments|check|defaults)|redis\/target|require-from)\.ts/ },
  '@arq-ts/cli': {
    // A worker process has no parser, and neither it nor its supervisor a client.
    package: /cli\/src\/(exit|version)\.ts/,
    settings: /cli\/src\/(settings|worker\/served)\.ts/,
    command: /cli\/src\/(cli|grammar\/\w+|style)\.ts/,
    session: /cli\/src\/(audit|confirm|output|session|silent-logger|table)\.ts/,
  },
}
/** Groups that files, by their names, are loaded without: they answer before the rest is read, or have no use for it. */
const WITHOUT = {
  '@arq-ts/cli': { main: ['command', 'session'], 'worker/child': ['command', 'session'], worker: ['session'] },
}
/** File next to the bundles, with the licenses of bundled packages. */
const LICENSES = 'licenses.txt'
/** Folder of the package that a module belongs to. */
const PACKAGE_FOLDER = /^\0?(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//
/** Node's own modules. A `require` of one becomes an import, since a bundle of this bundle may be CommonJS. */
const BUILT_IN = [/^node:/, new RegExp(`^(${builtinModules.join('|')})$`)]

/** An optional dependency of `debug`, a dependency of ioredis: it is not installed, and nobody reads what it would colour. */
const withoutColors = {
  name: 'without-colors',
  resolveId: (id) => (id === 'supports-color' ? '\0supports-color' : null),
  load: (id) => (id === '\0supports-color' ? 'export const stderr = false' : null),
}

/**
 * The widths of text that yargs lays out its help by are those of our tables: the packages that it brings for them read the
 * tables of Unicode whenever they are loaded, for a fifth of the time of a verb.
 */
const ownWidths = {
  name: 'own-widths',
  resolveId: (id) => (id === 'string-width' ? '\0string-width' : null),
  load: (id) =>
    id === '\0string-width'
      ? `export { widthOf as default } from ${JSON.stringify(fileURLToPath(new URL('../packages/cli/src/table.ts', import.meta.url)))}`
      : null,
}

const { values, positionals } = parseArgs({
  options: {
    restore: { type: 'boolean' },
    out: { type: 'string' },
    over: { type: 'boolean' },
    under: { type: 'boolean' },
  },
  allowPositionals: true,
})
for (const folder of positionals.map((each) => resolve(each))) {
  if (values.restore) restore(folder)
  else if (values.out) await bundle(folder, resolve(values.out))
  else if (values.over) await putOver(folder)
  else if (values.under) takeAway(folder)
  else await replace(folder)
}

/** Folder for the output of `tsc` while bundles take its place. */
function modulesOf(folder) {
  return join(folder, '.dist-modules')
}

function restore(folder) {
  rmSync(join(folder, CHANGES), { force: true })
  const [dist, modules] = [join(folder, 'dist'), modulesOf(folder)]
  if (!existsSync(modules)) return
  // A pack that was killed restored nothing. If `tsc -b` has run since then, `dist` is newer than what stands aside.
  if (existsSync(join(dist, BUILD_STATE))) return rmSync(modules, { recursive: true })
  rmSync(dist, { recursive: true, force: true })
  renameSync(modules, dist)
}

async function replace(folder) {
  restore(folder)
  const [dist, modules] = [join(folder, 'dist'), modulesOf(folder)]
  if (!existsSync(join(dist, 'index.d.ts'))) throw new Error(`${folder} has no declarations: run \`pnpm build\` first`)
  renameSync(dist, modules)
  try {
    mkdirSync(dist)
    // `tsc` keeps its output for a source that is gone.
    const isKept = (path) => {
      const name = relative(modules, path).replace(/\.d\.ts(\.map)?$/, '')
      return (
        statSync(path).isDirectory() || (/\.d\.ts(\.map)?$/.test(path) && existsSync(join(folder, 'src', `${name}.ts`)))
      )
    }
    cpSync(modules, dist, { recursive: true, filter: isKept })
    await bundle(folder, dist)
    const { files } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    if (files.includes(CHANGES)) cpSync(fileURLToPath(new URL(`../${CHANGES}`, import.meta.url)), join(folder, CHANGES))
  } catch (error) {
    restore(folder)
    throw error
  }
}

/** Folder for what bundles over the entries have replaced, with the list of what they added. */
function coveredOf(folder) {
  return join(folder, '.dist-covered')
}

async function putOver(folder) {
  takeAway(folder)
  const [dist, covered] = [join(folder, 'dist'), coveredOf(folder)]
  const fresh = join(covered, 'fresh')
  await bundle(folder, fresh, entriesOf(folder, 'exports'))
  const added = []
  for (const entry of readdirSync(fresh, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const file = relative(fresh, join(entry.parentPath, entry.name))
    const place = join(dist, file)
    if (existsSync(place)) cpSync(place, join(covered, 'modules', file))
    else added.push(file)
    writeFileSync(join(covered, 'added.json'), JSON.stringify(added))
    cpSync(join(fresh, file), place)
  }
  rmSync(fresh, { recursive: true })
}

function takeAway(folder) {
  const [dist, covered] = [join(folder, 'dist'), coveredOf(folder)]
  const [list, state] = [join(covered, 'added.json'), join(dist, BUILD_STATE)]
  if (existsSync(list)) {
    // `tsc -b` has since written over bundles, and is newer than what stands aside: it has to write everything again.
    if (existsSync(state) && statSync(state).mtimeMs >= statSync(list).mtimeMs) rmSync(state)
    // Entries first: they import what is removed then.
    const modules = join(covered, 'modules')
    if (existsSync(modules)) cpSync(modules, dist, { recursive: true })
    for (const file of JSON.parse(readFileSync(list, 'utf8'))) rmSync(join(dist, file), { force: true })
  }
  rmSync(covered, { recursive: true, force: true })
}

async function bundle(folder, dir, entries = entriesOf(folder)) {
  const { name } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  // Processes of tests that stand still at a command change ioredis, which must then be everybody's.
  const inlined = (INLINED[name] ?? []).filter((id) => !values.over || id !== 'ioredis')
  const bundle = await rolldown({
    cwd: folder,
    input: Object.fromEntries(entries.map((name) => [name, join(folder, 'src', `${name}.ts`)])),
    platform: 'node',
    plugins: [esmExternalRequirePlugin({ external: BUILT_IN }), withoutColors, ownWidths],
    external: (id, importer = '') => {
      if (/^[./]|^\0/.test(id) || BUILT_IN.some((pattern) => pattern.test(id))) return false
      // Only what is inside imports from a package of others.
      const isOfInlined = inlined.some((inside) => id === inside || id.startsWith(`${inside}/`))
      const isInside = isOfInlined || importer.includes('/node_modules/')
      if (SMALL.some((small) => id === small || importer.includes(`/node_modules/${small}/`))) return false
      if (!isInside) refuseSecondCopy(name, id)
      return !isInside && !(id === 'zod' && ZOD_PARTS.test(importer))
    },
    onLog(level, { message }) {
      if (level === 'warn') throw new Error(`${folder}: ${message}`)
    },
  })
  const { output } = await bundle.write({
    dir,
    format: 'esm',
    // Stack traces name our sources, which are in the package.
    sourcemap: true,
    chunkFileNames: '[name]-[hash].js',
    // Users see names of classes in stack traces and in printed values.
    keepNames: true,
    banner: ({ moduleIds }) => (moduleIds.some((id) => /\/zod\//.test(id)) ? ZOD_LICENSE : ''),
    // Licenses stay; other comments are in the shipped sources.
    comments: { legal: true, annotation: true, jsdoc: false },
    // A require at run time would have to be resolved from a bundle of this bundle.
    polyfillRequire: false,
    codeSplitting: { groups: Object.entries(GROUPS[name] ?? {}).map(([name, test]) => ({ name, test })) },
  })
  await bundle.close()
  refuseStrangers(Object.keys(GROUPS[name] ?? {}), output)
  for (const [file, groups] of Object.entries(WITHOUT[name] ?? {})) refuseTogether(file, groups, output)
  const licenses = licensesOf(output.flatMap(({ moduleIds = [] }) => moduleIds))
  if (licenses !== '') writeFileSync(join(dir, LICENSES), licenses)
}

/** Refuses a group that takes a package of others along: whatever loads one module of the group would load that package. */
function refuseStrangers(groups, output) {
  for (const { name, imports = [] } of output.filter((file) => groups.includes(file.name))) {
    const stranger = imports.find(
      (id) =>
        /^[a-z]/.test(id) &&
        !output.some(({ fileName }) => fileName === id) &&
        !BUILT_IN.some((pattern) => pattern.test(id)),
    )
    if (stranger) throw new Error(`the file \`${name}\` imports ${stranger}: narrow its group in GROUPS`)
  }
}

/** Refuses a file that loads one of these groups, itself or by what it imports. */
function refuseTogether(name, groups, output) {
  const loaded = new Set(output.filter((file) => file.name === name))
  if (loaded.size === 0) throw new Error(`no file is \`${name}\`: correct WITHOUT`)
  for (const { imports = [] } of loaded) {
    for (const file of output) if (imports.includes(file.fileName)) loaded.add(file)
  }
  const group = groups.find((each) => [...loaded].some((file) => file.name === each))
  if (group) throw new Error(`the file \`${name}\` loads the group \`${group}\`: take what it needs out of the group`)
}

/** Refuses an import of a package that another bundle has inside: `instanceof` would not know the classes of the other copy. */
function refuseSecondCopy(name, id) {
  const [owner] = Object.entries(INLINED).find(([, ids]) => ids.includes(id)) ?? []
  if (owner === undefined || owner === name) return
  throw new Error(
    `${name} imports ${id}, of which ${owner} has a copy inside: import its types only, or what ${owner} exports`,
  )
}

/** The licenses of the packages that these modules come from, which their authors want with every copy. */
function licensesOf(moduleIds) {
  const folders = moduleIds.flatMap((id) => PACKAGE_FOLDER.exec(id)?.[1] ?? [])
  const parts = [...new Set(folders)].map((folder) => {
    const { author, license, name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each))
    const text = file ? readFileSync(join(folder, file), 'utf8') : `By ${author?.name ?? author}. License: ${license}.`
    return `${name} ${version}\n\n${text.trim()}\n`
  })
  return parts.sort().join(`\n${'-'.repeat(80)}\n\n`)
}

/** Modules that the manifest exports or starts, by their names below `src`; `exports` has those of the workspace too. */
function entriesOf(folder, of = 'published') {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const { name, bin = {} } = manifest
  const exports = of === 'exports' ? manifest.exports : manifest.publishConfig.exports
  const exported = Object.values(exports).flatMap((target) => target.default ?? [])
  const names = [...exported, ...Object.values(bin)].map((path) => path.replace(/^\.\/dist\//, '').replace(/\.js$/, ''))
  return [...names, ...(STARTED[name] ?? [])]
}
