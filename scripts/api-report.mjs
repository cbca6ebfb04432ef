// Writes the public surface of each package and entry to `api/`, as API Extractor reads it from the built declarations.
// `--check` compares instead, prints what differs, and names the command that updates the reports.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CompilerState, Extractor, ExtractorConfig } from '@microsoft/api-extractor'
import { root } from './lib/command.mjs'
import { publishedEntries } from './lib/entries.mjs'
import { red, say } from './lib/say.mjs'

const reports = join(root, 'api')
const silent = { default: { logLevel: 'none' } }
const compilerOptions = {
  target: 'es2023',
  lib: ['es2023'],
  module: 'nodenext',
  moduleResolution: 'nodenext',
  types: ['node'],
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: true,
  allowImportingTsExtensions: true,
  noEmit: true,
}

/** `@arq-ts/core/client` is `core-client.api.md`. */
const fileOf = ({ name, entry }) => `${[name.replace('@arq-ts/', ''), ...entry.split('/').slice(1)].join('-')}.api.md`

const entries = publishedEntries()
const declarations = entries.map(({ types }) => types)
const work = mkdtempSync(join(tmpdir(), 'arq-ts-api-'))
try {
  const configs = entries.map((entry) =>
    ExtractorConfig.prepare({
      configObject: {
        projectFolder: entry.folder,
        mainEntryPointFilePath: entry.types,
        newlineKind: 'lf',
        compiler: { overrideTsconfig: { compilerOptions, files: declarations } },
        apiReport: {
          enabled: true,
          reportFileName: fileOf(entry),
          reportFolder: join(work, 'reports'),
          reportTempFolder: join(work, 'temp'),
        },
        docModel: { enabled: false },
        dtsRollup: { enabled: false },
        tsdocMetadata: { enabled: false },
        messages: {
          compilerMessageReporting: silent,
          extractorMessageReporting: silent,
          tsdocMessageReporting: silent,
        },
      },
      packageJsonFullPath: join(entry.folder, 'package.json'),
    }),
  )
  mkdirSync(join(work, 'reports'))
  // One program for all: reading the declarations takes most of the time.
  const compilerState = CompilerState.create(configs[0], { additionalEntryPoints: declarations.slice(1) })
  for (const config of configs) {
    const messageCallback = (message) => void (message.handled = true)
    const { errorCount } = Extractor.invoke(config, { compilerState, localBuild: true, messageCallback })
    if (errorCount > 0) throw new Error(`the surface of ${config.mainEntryPointFilePath} cannot be read`)
  }
  const made = readdirSync(join(work, 'reports'))
  const stale = made.filter((name) => read(join(reports, name)) !== read(join(work, 'reports', name)))
  const gone = existsSync(reports) ? readdirSync(reports).filter((name) => !made.includes(name)) : []
  if (process.argv.includes('--check')) {
    for (const name of stale) report(name)
    for (const name of gone) say(red(`api/${name}: no package has this entry any more`))
    if (stale.length + gone.length > 0) {
      say('The public surface is not what `api/` says. If the change is meant, run `pnpm api` and commit the reports.')
      process.exitCode = 1
    }
  } else {
    mkdirSync(reports, { recursive: true })
    for (const name of gone) rmSync(join(reports, name))
    for (const name of stale) writeFileSync(join(reports, name), read(join(work, 'reports', name)))
    say(`${made.length} entries, ${stale.length + gone.length} reports changed`)
  }
} finally {
  rmSync(work, { recursive: true, force: true })
}

function read(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}

/** Prints the lines that only one of both has, in order. */
function report(name) {
  const [before, after] = [reports, join(work, 'reports')].map((folder) => read(join(folder, name)).split('\n'))
  say(red(`api/${name} differs:`))
  for (const line of before) if (!after.includes(line)) say(`  - ${line}`)
  for (const line of after) if (!before.includes(line)) say(`  + ${line}`)
}
