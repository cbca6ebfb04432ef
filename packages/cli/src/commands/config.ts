import { statSync } from 'node:fs'
import { ConfigError } from '@arq-ts/core/client'
import type { ConfigProblem } from '@arq-ts/core'
import { configJsonSchema, maskSetting, redisOptionsOf } from '@arq-ts/core/config'
import type { LoadedConfig, Setting } from '@arq-ts/core/config'
import type { GlobalArgs } from '../args.ts'
import { EXIT } from '../exit.ts'
import { counted, Output } from '../output.ts'
import type { Column } from '../output.ts'
import { settingsOf } from '../settings.ts'
import { locateTasks, taskFolders } from '../worker/task-location.ts'

interface Row {
  key: string
  value: unknown
  source: string
}

/** `config show` */
export async function show(args: GlobalArgs): Promise<number> {
  const out = new Output(args.json === true, args.io)
  const rows = settingsOf(args).settings.map(toRow)
  const columns: readonly Column<Row>[] = [
    { title: 'setting', cell: (row) => row.key },
    {
      title: 'value',
      cell: (row) => (row.value === null ? '–' : typeof row.value === 'string' ? row.value : JSON.stringify(row.value)),
      min: 16,
    },
    { title: 'from', cell: (row) => (row.source === 'default' ? out.colors.dim('default') : row.source), min: 12 },
  ]
  out.data(rows, () => out.table(rows, columns))
  return EXIT.ok
}

function toRow({ key, value, origin }: Setting): Row {
  return { key, value: maskSetting(key, value) ?? null, source: origin.name }
}

/** `config check` @throws ConfigError with all that is wrong: what is written, and what it names but is not there. */
export async function check(args: GlobalArgs): Promise<number> {
  const out = new Output(args.json === true, args.io)
  const loaded = settingsOf(args)
  const problems = [...unreadFiles(loaded), ...missingTasks(loaded)]
  if (problems.length > 0) throw new ConfigError(problems)
  const { file, settings } = loaded
  const given = settings.filter((setting) => setting.origin.kind !== 'default').length
  out.data({ ok: true, file: file ?? null, given }, () =>
    out.line(`${file ?? 'no arq-ts.yaml here'}: ${counted(given, 'setting')} given, nothing is wrong`),
  )
  return EXIT.ok
}

/** Files of TLS that a connection would read. */
function unreadFiles({ config, placeOf }: LoadedConfig): ConfigProblem[] {
  try {
    redisOptionsOf(config)
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.problems.map((problem) => ({ ...problem, where: placeOf(problem.path.split('.')) ?? problem.where }))
  }
}

function missingTasks({ config, file, placeOf }: LoadedConfig): ConfigProblem[] {
  return config.tasks.flatMap((entry, index) => {
    const why = whyMissing(typeof entry === 'string' ? entry : entry.use, taskFolders(file))
    const keys = ['tasks', index]
    return why === undefined ? [] : [{ where: placeOf(keys) ?? 'tasks', path: keys.join('.'), message: why }]
  })
}

function whyMissing(use: string, folders: readonly string[]): string | undefined {
  try {
    const module = locateTasks(use, folders)
    if (statSync(module, { throwIfNoEntry: false })?.isFile()) return undefined
    return `expected \`${use}\` to be a module of tasks, there is no file ${module}`
  } catch (error) {
    return (error as Error).message
  }
}

/** `config schema` */
export async function schema(args: GlobalArgs): Promise<number> {
  new Output(true, args.io).raw(JSON.stringify(configJsonSchema(), null, 2))
  return EXIT.ok
}
