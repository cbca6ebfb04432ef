import { defineConfig } from 'vitest/config'

/** Tests run the TypeScript sources of every package, unbuilt; child processes run what `tsc -b` built. */
const source = {
  resolve: { conditions: ['arq-ts-source'] },
  ssr: { resolve: { conditions: ['arq-ts-source', 'node'] } },
}

const project = (name: string, timeoutMs: number, setup: string[] = []) => ({
  ...source,
  test: {
    name,
    include: [`{packages/*,chaos}/test/${name}/**/*.test.ts`],
    testTimeout: timeoutMs,
    hookTimeout: 120_000,
    globalSetup: setup,
    setupFiles: ['./scripts/vitest/report.ts'],
    pool: 'forks' as const,
    // Files share the modules of their process: loading them anew for each costs more than many a file's tests. So no test
    // mocks a module, and whatever it sets for all, such as a tracer, it takes back.
    isolate: false,
    // A leaked handle must not hang a run: the fork ends, and its children with it.
    teardownTimeout: 10_000,
  },
})

const servers = ['./scripts/vitest/redis.ts']

export default defineConfig({
  test: {
    maxWorkers: 2,
    retry: 0,
    projects: [
      {
        ...source,
        test: {
          ...project('unit', 20_000).test,
          setupFiles: ['./scripts/vitest/report.ts', './scripts/vitest/driver.ts'],
        },
      },
      project('integration', 30_000, servers),
      project('interop', 60_000, [...servers, './scripts/vitest/python.ts']),
      project('e2e', 90_000, [...servers, './scripts/vitest/browser.ts']),
    ],
  },
})
