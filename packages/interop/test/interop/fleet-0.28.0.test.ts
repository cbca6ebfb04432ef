import { proveFleetWith } from '../../src/table.ts'

proveFleetWith('0.28.0')
