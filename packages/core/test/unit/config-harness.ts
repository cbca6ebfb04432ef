import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach } from 'vitest'
import { loadConfig } from '../../src/config/index.ts'
import type { LoadedConfig, LoadOptions } from '../../src/config/index.ts'
import { ConfigError } from '../../src/errors.ts'

/** Settings to load; a string stands in the folder as a file of its kind. */
export type ConfigSource = LoadOptions & { yaml?: string; toml?: string; json?: string }

/** An empty folder per test, and configurations in it. Places are relative to it. */
export function useConfigs() {
  let folder: string
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'arq-ts-config-'))))
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  function load(source: ConfigSource = {}): LoadedConfig {
    const { yaml, toml, json, ...rest } = source
    const name = yaml === undefined ? (toml === undefined ? 'arq-ts.json' : 'arq-ts.toml') : 'arq-ts.yaml'
    const text = yaml ?? toml ?? json
    if (text !== undefined) writeFileSync(join(folder, name), text)
    return loadConfig({ cwd: folder, env: {}, ...rest })
  }

  /** Reported problems, a line each. @throws Error when nothing is. */
  function problems(source: ConfigSource): string[] {
    try {
      load(source)
    } catch (error) {
      if (error instanceof ConfigError) return error.message.replaceAll(`${folder}/`, '').split('\n')
      throw error
    }
    throw new Error('the configuration was taken')
  }

  function setting(loaded: LoadedConfig, key: string) {
    const found = loaded.settings.find((each) => each.key === key)
    return { value: found?.value, from: found?.origin.name.replace(`${folder}/`, '') }
  }

  return { folder: () => folder, load, problems, setting }
}
