import { OptionsError } from '@arq-ts/core'
import type { Persister } from '../options.ts'
import { jsonOf } from './json.ts'

/** What is needed of a pool or client of `pg`, or of anything that has its `query`. */
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

/**
 * Keeps values as JSON in a table of PostgreSQL: one row per key, replaced by newer versions only, so that it may run
 * twice, and late.
 *
 * ```sql
 * create table cache_entries (key text primary key, value jsonb not null, version bigint not null)
 * ```
 *
 * Sets become arrays, maps objects; a value that JSON has no form for (bytes) is a failure without retries.
 *
 * @throws OptionsError for a name that is no plain identifier.
 */
export function postgresPersister(options: PostgresPersisterOptions): Persister {
  const table = identifier('table', options.table, 2)
  const key = identifier('keyColumn', options.keyColumn ?? 'key')
  const value = identifier('valueColumn', options.valueColumn ?? 'value')
  const version = identifier('versionColumn', options.versionColumn ?? 'version')
  const text =
    `insert into ${table} as stored (${key}, ${value}, ${version}) values ($1, $2, $3) ` +
    `on conflict (${key}) do update set ${value} = excluded.${value}, ${version} = excluded.${version} ` +
    `where stored.${version} < excluded.${version}`
  return async (entry, content, write) => {
    await options.client.query(text, [entry, jsonOf(entry, content ?? null), write.version])
  }
}

function identifier(option: string, name: string, parts = 1): string {
  const names = name.split('.')
  if (names.length > parts || !names.every((part) => /^[A-Za-z_][A-Za-z0-9_$]{0,62}$/.test(part))) {
    throw new OptionsError(
      `postgresPersister: expected \`${option}\` to be a plain name of letters, digits and _, got ${JSON.stringify(name)}`,
    )
  }
  return names.map((part) => `"${part}"`).join('.')
}
