import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cases } from './reminders.cases.mjs'

cases({ test, equal: (actual, expected) => assert.deepEqual(actual, expected) })
