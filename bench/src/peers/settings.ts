// Settings of the command whose start-up is measured.
import { defineTask } from '@arq-ts/core'

export const noop = defineTask({ name: 'noop', handler: () => {} })
