// What the command is given whose start-up is measured.
import { defineTask } from '@arq-ts/core'

export const tasks = [defineTask({ name: 'noop', handler: () => {} })]
