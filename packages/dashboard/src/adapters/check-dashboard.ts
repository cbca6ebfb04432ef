import { checkOptions } from '@arq-ts/core'
import { z } from 'zod'

const schema = z.strictObject({
  dashboard: z.custom(
    (value) => typeof (value as { fetch?: unknown } | null)?.fetch === 'function',
    'Expected a dashboard, as createDashboard() gives it',
  ),
  basePath: z.string().optional(),
})

/** Checks what an adapter is given. @throws OptionsError unless it is a dashboard, and a path or none. */
export function checkDashboard(where: string, dashboard: unknown, basePath?: unknown): void {
  checkOptions(where, schema, { dashboard, ...(basePath === undefined ? {} : { basePath }) })
}
