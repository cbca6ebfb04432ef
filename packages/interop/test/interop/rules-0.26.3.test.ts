import { proveRulesWith } from '../../src/wire-rules.ts'

proveRulesWith('0.26.3')
