import { loadConfig, maskSetting } from '@arq-ts/core/config'
import type { LoadedConfig } from '@arq-ts/core/config'
import type { GlobalArgs } from './args.ts'

/** The `task_queue` settings of this call. `flags` are further settings of the command line. @throws ConfigError */
export function settingsOf(args: GlobalArgs, flags: Readonly<Record<string, unknown>> = {}): LoadedConfig {
  return loadConfig({
    ...(args.config === undefined ? {} : { file: args.config }),
    ...(args.envPrefix === undefined ? {} : { envPrefix: args.envPrefix }),
    ...(args.io === undefined ? {} : { env: args.io.env, cwd: args.io.cwd }),
    flags: { redis_url: args.redis, ...flags },
  })
}

/** Address of Redis, for a person. */
export function addressOf({ config }: LoadedConfig): string {
  if (config.sentinel)
    return `sentinel ${config.sentinel.name} (${config.sentinel.nodes.join(', ')}), database ${config.redis_database}`
  const url = String(maskSetting('redis_url', config.redis_url)).replace(/\/\d*$/, '')
  return config.cluster ? `the cluster at ${url}` : `${url}/${config.redis_database}`
}
