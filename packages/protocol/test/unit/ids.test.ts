import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { idFromBytes, idToBytes, isWellFormed, parseId, showId, shortId } from '@arq-ts/protocol/jobs'

const bytes = fc.uint8Array({ maxLength: 40 })

describe('job ids', () => {
  test('are the strings they always were where they are UTF-8', () => {
    for (const id of ['plain', 'größe:ü', '絵文字🎉', '\uFEFFmark', '']) {
      expect(idFromBytes(Buffer.from(id))).toBe(id)
      expect(Buffer.from(idToBytes(id))).toEqual(Buffer.from(id))
      expect(isWellFormed(id)).toBe(true)
    }
  })

  test('keep bytes that are not UTF-8 as surrogateescape does in Python', () => {
    // b'a\xff\xe2\x82'.decode('utf-8', 'surrogateescape')
    expect(idFromBytes(Buffer.from([0x61, 0xff, 0xe2, 0x82]))).toBe('a\uDCFF\uDCE2\uDC82')
    expect(idFromBytes(Buffer.from([0xed, 0xa0, 0x80]))).toBe('\uDCED\uDCA0\uDC80') // an encoded surrogate
    expect(idFromBytes(Buffer.from([0xc0, 0xaf, 0xf5, 0x80]))).toBe('\uDCC0\uDCAF\uDCF5\uDC80')
    expect(isWellFormed('a\uDCFF')).toBe(false)
  })

  test('come back as the same bytes, whatever these are', () => {
    fc.assert(
      fc.property(bytes, (given) => {
        expect(idToBytes(idFromBytes(given))).toEqual(given)
      }),
      { numRuns: 1_000 },
    )
  })

  test('never meet: different bytes are different ids', () => {
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        expect(idFromBytes(a) === idFromBytes(b)).toBe(Buffer.compare(a, b) === 0)
      }),
      { numRuns: 1_000 },
    )
  })

  test('are shown without anything that a terminal would act on or hide', () => {
    expect(showId('report:42')).toBe('report:42')
    expect(showId('größe 🎉')).toBe('größe 🎉')
    expect(showId('a\uDCFFb')).toBe('a\\xffb')
    expect(showId('a\nb\u001B[31m')).toBe('a\\x0ab\\x1b[31m')
    expect(showId('\u009B\u202E')).toBe('\\xc2\\x9b\\xe2\\x80\\xae')
    expect(showId('C:\\temp')).toBe('C:\\temp')
    expect(showId('literal \\xff')).toBe('literal \\x5cxff')
  })

  test('are seen where they consist of blanks, or begin or end with one', () => {
    expect(showId('   ')).toBe('\\x20\\x20\\x20')
    expect(showId(' a  b ')).toBe('\\x20a  b\\x20')
    expect(showId('ünder ')).toBe('ünder\\x20')
    expect(showId('a\u00A0b')).toBe('a\\xc2\\xa0b')
    for (const blank of ['\u3000', '\u2003', '\u2800', '\u3164', '\u115F', '\u00A0', '\u034F'])
      expect(showId(blank)).toMatch(/^(\\x[\da-f]{2}){2,3}$/)
    // As long as a payload may be: no run of spaces takes more than one look.
    expect(showId(`${' '.repeat(1_000_000)}ü${' '.repeat(1_000_000)}ü`)).toHaveLength(5_000_002)
  })

  test('are cut for a log, however long and hostile they are', () => {
    expect(shortId('a\nb\nc', 4)).toBe('a\\x0ab…')
    expect(shortId('x'.repeat(200), 200)).toBe('x'.repeat(200))
    expect(shortId('ab😀cd', 4)).toBe('ab…')
    expect(shortId('ab😀cd', 5)).toBe('ab😀…')
    expect(shortId('\u202e\uDCFF'.repeat(5_000_000), 200).length).toBeLessThanOrEqual(200 * 12)
  })

  test('are read back from what was shown', () => {
    const anyId = fc.oneof(
      bytes.map(idFromBytes),
      fc.string({ unit: 'binary' }),
      fc.stringMatching(/^[\\x\da-fA-F\n ]*$/),
    )
    fc.assert(
      fc.property(anyId, (id) => {
        const shown = showId(id)
        expect(parseId(shown)).toBe(id)
        expect(shown).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]|^ | $/u)
      }),
      { numRuns: 1_000 },
    )
  })

  test('are taken as they stand where nothing is escaped', () => {
    expect(parseId('report:42')).toBe('report:42')
    expect(parseId('C:\\temp')).toBe('C:\\temp')
    expect(parseId('a\\XFFb')).toBe('a\uDCFFb')
  })
})
