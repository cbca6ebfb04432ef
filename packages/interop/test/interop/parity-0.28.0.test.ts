import { proveParityWith } from '../../src/parity/prove.ts'

proveParityWith('0.28.0')
