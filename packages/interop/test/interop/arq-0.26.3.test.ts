import { proveWith } from '../../src/table.ts'

proveWith('0.26.3')
