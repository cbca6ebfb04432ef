import { proveParityWith } from '../../src/parity/prove.ts'

proveParityWith('0.26.1', '0.26.3', '0.28.0')
