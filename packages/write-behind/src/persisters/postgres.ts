import { checkOptions } from '@arq-ts/core/task-kit'
import { z } from 'zod'
import type { Persister, WriteFailure } from '../options.ts'
import { jsonOf } from './json.ts'

/** Part of a `pg` pool or client that is used: its `query`. */
export interface Queryable {
  query: (text: string, values: unknown[]) => Promise<unknown>
}

/** Options of `postgresPersister`. Names of columns default to `key`, `value` and `version`. */
export interface PostgresPersisterOptions {
  client: Queryable
  /** `table`, or `schema.table`. Its key is unique, its value `jsonb`, its version `bigint`. */
  table: string
  keyColumn?: string
  valueColumn?: string
  versionColumn?: string
}

const NAME = '[A-Za-z_][A-Za-z0-9_$]{0,62}'
const column = z
  .string('Expected a plain name of letters, digits and _')
  .regex(new RegExp(`^${NAME}$`), 'Expected a plain name of letters, digits and _')
const TABLE = 'Expected a plain name of letters, digits and _, or two as in schema.table'
const optionsSchema = z.strictObject({
  client: z.custom<Queryable>(
    (value) => typeof (value as Partial<Queryable> | null)?.query === 'function',
    'Expected a pool or client of pg',
  ),
  table: z.string(TABLE).regex(new RegExp(`^${NAME}(\\.${NAME})?$`), TABLE),
  keyColumn: column.default('key'),
  valueColumn: column.default('value'),
  versionColumn: column.default('version'),
})

/**
 * Keeps values as JSON in a table of PostgreSQL: one row per key, replaced by newer versions only, so that it may run
 * twice, and late. A batch is one INSERT, whatever its size.
 *
 * ```sql
 * create table cache_entries (key text primary key, value jsonb not null, version bigint not null)
 * ```
 *
 * Sets become arrays, maps objects; a value that JSON has no form for (bytes) is a failure without retries.
 *
 * @throws OptionsError for wrong options, and for a name that is no plain identifier.
 */
export function postgresPersister(options: PostgresPersisterOptions): Persister {
  const { client, ...names } = checkOptions('postgresPersister', optionsSchema, options)
  const table = quoted(names.table)
  const key = quoted(names.keyColumn)
  const value = quoted(names.valueColumn)
  const version = quoted(names.versionColumn)
  const upsert =
    `on conflict (${key}) do update set ${value} = excluded.${value}, ${version} = excluded.${version} ` +
    `where stored.${version} < excluded.${version}`
  const columns = `insert into ${table} as stored (${key}, ${value}, ${version})`
  const one = `${columns} values ($1, $2, $3) ${upsert}`
  // One parameter, so that any client carries it, and no batch has more parameters than PostgreSQL takes.
  const many =
    `${columns} select "key", "value", "version" ` +
    `from json_to_recordset($1::json) as given ("key" text, "value" jsonb, "version" bigint) ${upsert}`
  const persist: Persister = async (entry, content, write) => {
    await client.query(one, [entry, jsonOf(entry, content ?? null), write.version])
  }
  persist.persistMany = async (writes) => {
    const failures: WriteFailure[] = []
    const rows: string[] = []
    // In one order everywhere, so that two statements that meet wait for one another, and not each for the other.
    for (const { key, value: content, version } of [...writes].sort((a, b) => (a.key < b.key ? -1 : 1))) {
      try {
        rows.push(`{"key":${JSON.stringify(key)},"value":${jsonOf(key, content ?? null)},"version":${version}}`)
      } catch (error) {
        failures.push({ key, error })
      }
    }
    if (rows.length > 0) await client.query(many, [`[${rows.join(',')}]`])
    return failures
  }
  return persist
}

function quoted(name: string): string {
  return name
    .split('.')
    .map((part) => `"${part}"`)
    .join('.')
}
