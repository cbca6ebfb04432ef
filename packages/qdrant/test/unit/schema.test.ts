import type { Schemas } from '@qdrant/js-client-rest'
import { describe, expect, test } from 'vitest'
import { creationOf, differencesOf, indexesOf } from '../../src/schema.ts'

type Info = Schemas['CollectionInfo']

function info(config: Partial<Info['config']> = {}, payload_schema: Info['payload_schema'] = {}): Info {
  return {
    status: 'green',
    optimizer_status: 'ok',
    segments_count: 1,
    payload_schema,
    config: {
      params: { vectors: { size: 4, distance: 'Cosine' } },
      hnsw_config: { m: 16, ef_construct: 100, full_scan_threshold: 10_000 },
      optimizer_config: { flush_interval_sec: 5, default_segment_number: 0 },
      ...config,
    } as Info['config'],
  }
}

const params = (params: Info['config']['params']) => info({ params })
const vectors = (vectors: Schemas['VectorsConfig']) => params({ vectors })

describe('one collection can stand in for another', () => {
  test.each<[string, Info, Info]>([
    ['when they are alike', info(), info()],
    ['when only what nobody sees differs', info(), params({ vectors: { size: 4, distance: 'Cosine', on_disk: true } })],
    ['when a default is spelled out', info(), vectors({ size: 4, distance: 'Cosine', datatype: 'float32' })],
    [
      'whatever the order of names',
      vectors({ a: { size: 1, distance: 'Dot' }, b: { size: 2, distance: 'Dot' } }),
      vectors({ b: { size: 2, distance: 'Dot' }, a: { size: 1, distance: 'Dot' } }),
    ],
    ['when null stands for nothing', info(), info({ quantization_config: null })],
  ])('%s', (_, first, second) => {
    expect(differencesOf(first, second)).toEqual([])
  })

  const dense = '{"size":4,"distance":"Cosine","datatype":"float32"}'
  test.each<[string, Info, string[]]>([
    ['size', vectors({ size: 8, distance: 'Cosine' }), [`vectors: ${dense} and ${dense.replace('4', '8')}`]],
    ['distance', vectors({ size: 4, distance: 'Dot' }), [`vectors: ${dense} and ${dense.replace('Cosine', 'Dot')}`]],
    [
      'names',
      vectors({ text: { size: 4, distance: 'Cosine' } }),
      [`vectors: ${dense} and none`, `vectors \`text\`: none and ${dense}`],
    ],
    [
      'sparse vectors',
      params({ vectors: { size: 4, distance: 'Cosine' }, sparse_vectors: { words: { modifier: 'idf' } } }),
      ['sparse vectors `words`: none and {"modifier":"idf"}'],
    ],
    [
      'HNSW',
      info({ hnsw_config: { m: 32, ef_construct: 200, full_scan_threshold: 1 } }),
      ['hnsw_config `m`: 16 and 32', 'hnsw_config `ef_construct`: 100 and 200'],
    ],
    [
      'quantization',
      info({ quantization_config: { scalar: { type: 'int8' } } }),
      ['quantization `enabled`: false and true'],
    ],
  ])('unless they differ in %s', (_, other, differences) => {
    expect(differencesOf(info(), other)).toEqual(differences)
  })
})

describe('a clone', () => {
  test('has vectors, settings and metadata of the first, and nothing that is not set', () => {
    const first = info({
      params: {
        vectors: { size: 4, distance: 'Dot' },
        sparse_vectors: { words: {} },
        shard_number: 2,
        on_disk_payload: true,
        read_fan_out_factor: 3,
      },
      quantization_config: { scalar: { type: 'int8' } },
      metadata: null,
    })
    expect(creationOf(first)).toEqual({
      vectors: { size: 4, distance: 'Dot' },
      sparse_vectors: { words: {} },
      shard_number: 2,
      on_disk_payload: true,
      hnsw_config: first.config.hnsw_config,
      optimizers_config: first.config.optimizer_config,
      quantization_config: { scalar: { type: 'int8' } },
    })
  })

  test('has its payload indexes, with their parameters where there are any', () => {
    const text = { type: 'text', tokenizer: 'word' } as const
    const indexes = {
      colour: { data_type: 'keyword', points: 3 },
      title: { data_type: 'text', params: text, points: 3 },
    }
    expect(indexesOf(info({}, indexes as Info['payload_schema']))).toEqual([
      { field_name: 'colour', field_schema: 'keyword' },
      { field_name: 'title', field_schema: text },
    ])
  })
})
