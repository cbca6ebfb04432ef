import type { Bootstrap } from '@arq-ts/dashboard/api'
import { compact, number } from '../format/number.ts'

/** An entry of the navigation. */
export interface Entry {
  path: string
  name: string
  icon: string
  /** Second key after `g`. */
  key: string
  badge?: (of: Bootstrap['badges']) => { text: string; short: string; tone: 'failing' | 'warning' | 'muted' } | null
}

/** The pages in their groups. */
export const groups: Entry[][] = [
  [
    { path: '/', name: 'Overview', icon: 'activity', key: 'o' },
    {
      path: '/jobs',
      name: 'Jobs',
      icon: 'list',
      key: 'j',
      badge: ({ dead }) => (dead ? { text: `${number(dead)} dead`, short: compact(dead), tone: 'muted' } : null),
    },
    { path: '/queues', name: 'Queues', icon: 'layers', key: 'q' },
    {
      path: '/errors',
      name: 'Errors',
      icon: 'circle-alert',
      key: 'e',
      badge: ({ errorsOpen }) =>
        errorsOpen ? { text: `${number(errorsOpen)} open`, short: compact(errorsOpen), tone: 'failing' } : null,
    },
  ],
  [
    {
      path: '/functions',
      name: 'Functions',
      icon: 'braces',
      key: 'f',
      badge: ({ unserved }) =>
        unserved ? { text: `${number(unserved)} unserved`, short: compact(unserved), tone: 'warning' } : null,
    },
    { path: '/workers', name: 'Workers', icon: 'cpu', key: 'w' },
    { path: '/flows', name: 'Flows', icon: 'workflow', key: 'l' },
    { path: '/cron', name: 'Cron', icon: 'clock', key: 'c' },
    { path: '/schedules', name: 'Schedules', icon: 'calendar-clock', key: 'h' },
    { path: '/limits', name: 'Limits', icon: 'gauge', key: 'm' },
    { path: '/canaries', name: 'Canaries', icon: 'bird', key: 'y' },
    { path: '/cache', name: 'Cache', icon: 'database', key: 'b' },
  ],
  [
    { path: '/doctor', name: 'Doctor', icon: 'shield-plus', key: 'd' },
    { path: '/audit', name: 'Audit log', icon: 'file-text', key: 'a' },
    { path: '/settings', name: 'Settings', icon: 'settings', key: 's' },
  ],
]

/** All entries. */
export const entries = groups.flat()

/** The entry that a path belongs to: a job stands under Jobs. */
export function entryOf(path: string): Entry | undefined {
  const parent: Record<string, string> = {
    '/job': '/jobs',
    '/queue': '/queues',
    '/error': '/errors',
    '/canary': '/canaries',
    '/flow': '/flows',
    '/schedule': '/schedules',
    '/limit': '/limits',
  }
  return entries.find((entry) => entry.path === (parent[path] ?? path))
}
