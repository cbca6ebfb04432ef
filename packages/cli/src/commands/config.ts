import { configJsonSchema, maskSetting } from '@arq-ts/core/config'
import type { Setting } from '@arq-ts/core/config'
import type { GlobalArgs } from '../args.ts'
import { EXIT } from '../exit.ts'
import { counted, Output } from '../output.ts'
import { settingsOf } from '../settings.ts'

interface Row {
  key: string
  value: unknown
  source: string
}

/** `config show` */
export async function show(args: GlobalArgs): Promise<number> {
  const out = new Output(args.json === true)
  const rows = settingsOf(args).settings.map(toRow)
  out.rows(
    rows,
    [
      ['setting', (row) => row.key],
      [
        'value',
        (row) => (row.value === null ? '–' : typeof row.value === 'string' ? row.value : JSON.stringify(row.value)),
      ],
      ['from', (row) => (row.source === 'default' ? out.colors.dim('default') : row.source)],
    ],
    '',
  )
  return EXIT.ok
}

function toRow({ key, value, origin }: Setting): Row {
  return { key, value: maskSetting(key, value) ?? null, source: origin.name }
}

/** `config check` */
export async function check(args: GlobalArgs): Promise<number> {
  const out = new Output(args.json === true)
  const { file, settings } = settingsOf(args)
  const given = settings.filter((setting) => setting.origin.kind !== 'default').length
  out.data({ ok: true, file: file ?? null, given }, () =>
    out.line(`${file ?? 'no file'}: ${counted(given, 'setting')} given, nothing is wrong`),
  )
  return EXIT.ok
}

/** `config schema` */
export async function schema(): Promise<number> {
  process.stdout.write(`${JSON.stringify(configJsonSchema(), null, 2)}\n`)
  return EXIT.ok
}
