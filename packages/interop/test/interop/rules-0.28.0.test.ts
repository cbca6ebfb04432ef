import { proveRulesWith } from '../../src/wire-rules.ts'

proveRulesWith('0.28.0')
