import { parseId } from '@arq-ts/protocol/jobs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { callLines, parts, tokens } from '../../src/format/call.ts'
import { about, parse, valueOf, withChip, without, write } from '../../src/format/chips.ts'
import { Query, queryOf, segment, shown } from '../../src/format/names.ts'
import { bytes, count, list, number, percent, rate } from '../../src/format/number.ts'
import { culprit, frames, typeAndMessage } from '../../src/format/stack.ts'

describe('numbers', () => {
  test('are words below ten in sentences, and unknown ones are no zeros', () => {
    expect(count(1, 'queue')).toBe('one queue')
    expect(count(1_960, 'job')).toBe('1,960 jobs')
    expect(number(null)).toBe('–')
    expect(rate(null)).toBe('–')
    expect(rate(1.26)).toBe('1.3')
    expect(percent(0.0004)).toBe('<0.1%')
    expect(percent(0.38)).toBe('38%')
    expect(bytes(126_877_696)).toBe('121 MiB')
    expect(list(['a', 'b', 'c', 'd'])).toBe('a, b and 2 more')
    expect(list(['a', ' '])).toBe('a and \\x20')
  })
})

describe('names', () => {
  /** Any bytes, as they stand in a string, and names that a browser, or a reader of paths, would take for something else. */
  const name = fc.oneof(
    fc.string({ unit: 'binary', minLength: 1 }),
    fc.constantFrom('.', '..', ' ', '\uDCFF', '%2e%2e', '\\x2e', 'a/b?c#d', '__proto__', '\u202Eexe'),
  )

  test('are one segment of an address each, and the server reads what was meant', () => {
    fc.assert(
      fc.property(name, (id) => {
        const { pathname } = new URL(`http://host/api/jobs/${segment(id)}/explain`)
        const [, api, jobs, found, explain, ...rest] = pathname.split('/')
        expect([api, jobs, explain, rest]).toEqual(['api', 'jobs', 'explain', []])
        expect(parseId(decodeURIComponent(found!))).toBe(id)
      }),
      { numRuns: 1_000 },
    )
  })

  test('come back from the query of a page, next to a search', () => {
    fc.assert(
      fc.property(name, (id) => {
        const q = about('id', id)
        const query = new Query(new URL(`http://host/job${queryOf({ id, q })}`).search)
        expect([query.get('id'), query.get('q'), query.get('queue')]).toEqual([id, q, null])
        expect(parse(q)).toEqual([{ key: 'id', value: shown(id) }])
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('the search by chips', () => {
  test('reads keys, quoted values and plain words', () => {
    expect(parse('status:failed,dead queue:"two words" ada http://x')).toEqual([
      { key: 'status', value: 'failed,dead' },
      { key: 'queue', value: 'two words' },
      { key: null, value: 'ada' },
      { key: null, value: 'http://x' },
    ])
  })

  test('writes what it read', () => {
    const value = fc.stringMatching(/^[a-z0-9 ._"\\-]+$/)
    const chip = fc.record({ key: fc.constantFrom('status', 'queue', 'function', null), value })
    fc.assert(
      fc.property(fc.array(chip), (chips) => {
        expect(parse(write(chips))).toEqual(chips)
      }),
    )
  })

  test('replaces a chip of the same key, and removes one by its place', () => {
    expect(withChip('status:failed ada', { key: 'status', value: 'dead' })).toBe('ada status:dead')
    expect(without('status:failed ada', 0)).toBe('ada')
    expect(valueOf('status:failed ada', 'status')).toBe('failed')
  })
})

describe('a call', () => {
  test('is laid out as Python writes it, one argument a line', () => {
    expect(callLines('f', "('a, (b)', [1, 2])", "{'x': {'y': 1}, 'z': date(2026, 12, 11)}")).toEqual([
      'f(',
      "    'a, (b)',",
      '    [1, 2],',
      "    x={'y': 1},",
      '    z=date(2026, 12, 11),',
      ')',
    ])
    expect(callLines('f', '()', '{}')).toEqual(['f()'])
    expect(callLines('f', "('a',)", '{}')).toEqual(["f('a')"])
  })

  test('is shown as it came where it cannot be taken apart', () => {
    expect(parts("('a', [1, ")).toBeNull()
    expect(callLines('f', "('a', [1…", '{}')).toEqual(["f(*('a', [1…)"])
  })

  test('loses no letter to its colours', () => {
    fc.assert(
      fc.property(fc.string(), (line) => {
        const texts = tokens(line).map(({ text }) => text)
        expect(texts.join('')).toBe(line)
      }),
    )
  })
})

describe('a stack', () => {
  const python = `Traceback (most recent call last):
  File "/venv/site-packages/arq/worker.py", line 597, in run_job
    result = await task
  File "/app/mailer/tasks.py", line 88, in send_mail
    await smtp.send_message(body, to)
  File "/venv/site-packages/aiosmtplib/client.py", line 12, in send
    raise SMTPServerDisconnected
aiosmtplib.SMTPServerDisconnected: Unexpected EOF received`
  const javascript = `Error: no
    at Object.handler (/app/src/tasks.ts:26:39)
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)`

  test('points at the frame of the own code that is nearest to the error', () => {
    expect(culprit(frames(python))?.lines[0]).toContain('mailer/tasks.py')
    expect(culprit(frames(javascript))?.lines[0]).toContain('tasks.ts:26')
    expect(frames(python).filter(({ library }) => library)).toHaveLength(2)
    expect(frames(javascript).map(({ library }) => library)).toEqual([false, true])
  })

  test('names type and message of an error', () => {
    expect(typeAndMessage('ValueError: a: b')).toEqual(['ValueError', 'a: b'])
    expect(typeAndMessage("TimeoutError('late')")).toEqual(['TimeoutError', "'late'"])
    expect(typeAndMessage('it broke')).toEqual(['', 'it broke'])
  })
})
