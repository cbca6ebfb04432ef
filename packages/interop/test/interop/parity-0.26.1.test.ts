import { proveParityWith } from '../../src/parity/prove.ts'

proveParityWith('0.26.1')
