import { test } from 'vitest'
import { proveWith } from '../../src/table.ts'

// Each run proves the oldest and the newest version. What 0.26.3 changed on the wire is in rules-0.26.3 and in the parity of logs.
if (process.env.ARQ_TEST_VERSIONS === 'all') proveWith('0.26.3')
else test.skip('arq 0.26.3, left out: a run takes a minute longer with ARQ_TEST_VERSIONS=all', () => {})
