import { expect, test } from 'vitest'
import { newJobId } from '../../src/client/job-ids.ts'

test("ids have the form of Python's `uuid4().hex`, and none comes twice", () => {
  const ids = Array.from({ length: 2_000 }, newJobId)
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$/)
  expect(new Set(ids).size).toBe(ids.length)
})
