import { proveWith } from '../../src/table.ts'

proveWith('0.28.0')
