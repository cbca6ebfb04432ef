/** A collection's schema: what it takes to make another like it, and where two differ. Pure. */
import { isDeepStrictEqual } from 'node:util'
import type { Schemas } from '@qdrant/js-client-rest'

type Info = Schemas['CollectionInfo']
type Named<T> = Record<string, T | undefined>

/**
 * The body that creates an empty collection with the configuration of this one. Strict mode and read fan-out are the
 * server's to set, and are left out.
 */
export function creationOf({ config }: Info): Schemas['CreateCollection'] {
  const { read_fan_out_factor: _, read_fan_out_delay_ms: __, ...params } = config.params
  const { hnsw_config, optimizer_config, wal_config = null, quantization_config = null, metadata = null } = config
  const settings = { hnsw_config, optimizers_config: optimizer_config, wal_config, quantization_config, metadata }
  return known({ ...params, ...settings })
}

/** The payload indexes, each as the body that creates it. */
export function indexesOf({ payload_schema }: Info): Schemas['CreateFieldIndex'][] {
  return Object.entries(payload_schema).flatMap(([field_name, index]) =>
    index ? [{ field_name, field_schema: (index.params ?? index.data_type) as Schemas['PayloadFieldSchema'] }] : [],
  )
}

/**
 * Differences that keep the second collection from replacing the first: vectors (names, size, distance, datatype, multivector),
 * sparse vectors (names, modifier), HNSW `m` and `ef_construct`, quantization. Empty when there are none.
 */
export function differencesOf(first: Info, second: Info): string[] {
  const [a, b] = [first.config, second.config]
  const hnsw = ({ hnsw_config: { m, ef_construct } }: Info['config']) => ({ m, ef_construct })
  return [
    ...differentEntries('vectors', denseOf(a.params.vectors), denseOf(b.params.vectors)),
    ...differentEntries('sparse vectors', sparseOf(a.params), sparseOf(b.params)),
    ...differentEntries('hnsw_config', hnsw(a), hnsw(b)),
    ...differentEntries(
      'quantization',
      { enabled: Boolean(a.quantization_config) },
      { enabled: Boolean(b.quantization_config) },
    ),
  ]
}

/** An unnamed vector has the empty name, as Qdrant has it inside. */
function denseOf(vectors: Schemas['VectorsConfig'] | undefined): Named<object> {
  const byName = isUnnamed(vectors) ? { '': vectors } : ((vectors ?? {}) as Named<Schemas['VectorParams']>)
  return mapValues(byName, ({ size, distance, datatype, multivector_config }) =>
    known({ size, distance, datatype: datatype ?? 'float32', multivector_config }),
  )
}

function isUnnamed(vectors: Schemas['VectorsConfig'] | undefined): vectors is Schemas['VectorParams'] {
  return vectors !== undefined && typeof (vectors as { size?: unknown }).size === 'number'
}

function sparseOf({ sparse_vectors }: Schemas['CollectionParams']): Named<object> {
  return mapValues(sparse_vectors ?? {}, ({ modifier }) => ({ modifier: modifier ?? 'none' }))
}

function mapValues<T, U>(record: Named<T>, change: (value: T) => U): Named<U> {
  return Object.fromEntries(Object.entries(record).flatMap(([key, value]) => (value ? [[key, change(value)]] : [])))
}

function differentEntries(what: string, a: Named<unknown>, b: Named<unknown>): string[] {
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])]
  return names
    .filter((name) => !isDeepStrictEqual(a[name], b[name]))
    .map((name) => `${what}${name === '' ? '' : ` \`${name}\``}: ${show(a[name])} and ${show(b[name])}`)
}

function show(value: unknown): string {
  return value === undefined ? 'none' : JSON.stringify(value)
}

/** Without what is null or not set. */
function known<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null && value !== undefined)) as T
}
