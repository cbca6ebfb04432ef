import { expect, test } from '@jest/globals'
import { cases } from './reminders.cases.mjs'

cases({ test, equal: (actual, expected) => expect(actual).toEqual(expected) })
