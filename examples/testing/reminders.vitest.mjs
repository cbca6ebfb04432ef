import { expect, test } from 'vitest'
import { cases } from './reminders.cases.mjs'

cases({ test, equal: (actual, expected) => expect(actual).toEqual(expected) })
