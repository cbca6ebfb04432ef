import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { defaultClientConditions, defineConfig, type Plugin } from 'vite'

const icons = [
  'activity',
  'list',
  'layers',
  'circle-alert',
  'braces',
  'cpu',
  'clock',
  'shield-plus',
  'file-text',
] as const
const more = [
  'search',
  'chevron-right',
  'chevron-down',
  'x',
  'play',
  'pencil',
  'ban',
  'ellipsis',
  'lock',
  'undo-2',
] as const
const rest = [
  'bird',
  'database',
  'settings',
  'star',
  'bell-off',
  'bell',
  'rotate-cw',
  'pause',
  'trash-2',
  'copy',
  'workflow',
  'calendar-clock',
  'gauge',
  'circle-play',
] as const
const acts = ['arrow-right', 'check', 'plus', 'moon-star', 'list-filter', 'corner-down-left', 'wrench', 'logs'] as const

/** Serves the chosen lucide icons as arrays of nodes: nothing parses markup in the browser, which Trusted Types forbid. */
function lucide(): Plugin {
  const id = 'virtual:icons'
  const folder = join(dirname(createRequire(import.meta.url).resolve('lucide-static/package.json')), 'icons')
  const nodes = (name: string) =>
    [
      ...readFileSync(join(folder, `${name}.svg`), 'utf8').matchAll(
        /<(path|circle|rect|line|polyline|polygon|ellipse) ([^>]*?)\/>/g,
      ),
    ].map(([, tag, attributes]) => [
      tag,
      Object.fromEntries([...attributes!.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, k, v]) => [k, v])),
    ])
  return {
    name: 'lucide-icons',
    resolveId: (source) => (source === id ? `\0${id}` : undefined),
    load: (source) =>
      source === `\0${id}`
        ? `export const icons = ${JSON.stringify(Object.fromEntries([...icons, ...more, ...rest, ...acts].map((name) => [name, nodes(name)])))}`
        : undefined,
  }
}

export default defineConfig({
  root: import.meta.dirname,
  // Relative: the server mounts the page under any base path and says so in `<base>`.
  base: './',
  plugins: [lucide()],
  // The sources of the protocol: the pages are built before it is.
  resolve: { conditions: ['arq-ts-source', ...defaultClientConditions] },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: '../dashboard/assets',
    emptyOutDir: true,
    target: 'es2023',
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
    assetsDir: 'assets',
    reportCompressedSize: false,
    assetsInlineLimit: 0,
  },
})
