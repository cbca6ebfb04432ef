import { proveFlowsWith } from '../../src/flows.ts'

// Rule 1, that a held job is not started, differs in 0.26.1: see the wire rules.
proveFlowsWith('0.26.1')
proveFlowsWith('0.28.0')
