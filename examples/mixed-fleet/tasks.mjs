// The task of the mixed fleet for workers of ours: the same name, the same arguments, the same result.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { defineTask } from '@arq-ts/core'
import { z } from 'zod'

export const summariseDocument = (root) =>
  defineTask({
    name: 'summarise_document',
    params: z.object({ path: z.string(), encoding: z.string().default('utf-8') }),
    handler: async (ctx, { path }) => {
      const data = await readFile(join(root, path), { signal: ctx.signal })
      const text = data.toString('utf8')
      return {
        path,
        bytes: data.length,
        lines: text.split('\n').length - 1,
        words: text.split(/\s+/).filter(Boolean).length,
        sha256: createHash('sha256').update(data).digest('hex'),
        by: 'TypeScript',
      }
    },
  })
