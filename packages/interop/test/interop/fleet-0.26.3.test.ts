import { proveFleetWith } from '../../src/table.ts'

proveFleetWith('0.26.3')
