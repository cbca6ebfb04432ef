import { expect, test } from 'vitest'
import { aTime } from '../../src/check.ts'

test.each([Number.NaN, Infinity, -Infinity, 8_640_000_000_000_001, 1e300, new Date(Number.NaN)])(
  '%j is refused as a time: no Date holds it',
  (value) => {
    expect(aTime().safeParse(value).success).toBe(false)
  },
)

test.each([0, -1, 8_640_000_000_000_000, new Date(0)])('%j is taken as a time', (value) => {
  expect(aTime().safeParse(value).success).toBe(true)
})
