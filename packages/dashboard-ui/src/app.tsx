import { useSignal } from '@preact/signals'
import { lazy } from './ui/lazy.tsx'
import { useEffect, useRef } from 'preact/hooks'
import type { ComponentType } from 'preact'
import { arrived, path, to } from './router.ts'
import { planned } from './state/plan.ts'
import { refusal, session } from './state/session.ts'
import { BottomBar, Rail } from './shell/rail.tsx'
import { TopBar } from './shell/top-bar.tsx'
import { entryOf } from './shell/nav.ts'
import { help, palette } from './shell/palette-state.ts'
import { Toasts } from './shell/toasts.tsx'
import { Overview } from './pages/overview.tsx'
import { Failure, Page } from './ui/parts.tsx'
import { loadSession } from './state/session.ts'

const pages: Record<string, ComponentType> = {
  '/': Overview,
  '/jobs': lazy(() => import('./pages/jobs.tsx').then((m) => m.Jobs)),
  '/job': lazy(() => import('./pages/job.tsx').then((m) => m.Job)),
  '/queues': lazy(() => import('./pages/queues.tsx').then((m) => m.Queues)),
  '/queue': lazy(() => import('./pages/queue.tsx').then((m) => m.Queue)),
  '/errors': lazy(() => import('./pages/errors.tsx').then((m) => m.Errors)),
  '/error': lazy(() => import('./pages/error.tsx').then((m) => m.ErrorPage)),
  '/functions': lazy(() => import('./pages/functions.tsx').then((m) => m.Functions)),
  '/workers': lazy(() => import('./pages/workers.tsx').then((m) => m.Workers)),
  '/flows': lazy(() => import('./pages/flows.tsx').then((m) => m.Flows)),
  '/flow': lazy(() => import('./pages/flow.tsx').then((m) => m.Flow)),
  '/schedules': lazy(() => import('./pages/schedules.tsx').then((m) => m.Schedules)),
  '/schedule': lazy(() => import('./pages/schedule.tsx').then((m) => m.SchedulePage)),
  '/limits': lazy(() => import('./pages/limits.tsx').then((m) => m.Limits)),
  '/limit': lazy(() => import('./pages/limit.tsx').then((m) => m.LimitPage)),
  '/cron': lazy(() => import('./pages/cron.tsx').then((m) => m.Cron)),
  '/canaries': lazy(() => import('./pages/canaries.tsx').then((m) => m.Canaries)),
  '/canary': lazy(() => import('./pages/canary.tsx').then((m) => m.Canary)),
  '/cache': lazy(() => import('./pages/cache.tsx').then((m) => m.Cache)),
  '/doctor': lazy(() => import('./pages/doctor.tsx').then((m) => m.Doctor)),
  '/audit': lazy(() => import('./pages/audit.tsx').then((m) => m.Audit)),
  '/settings': lazy(() => import('./pages/settings.tsx').then((m) => m.Settings)),
}

const Palette = lazy(() => import('./shell/palette.tsx').then((m) => m.Palette))
const Help = lazy(() => import('./shell/help.tsx').then((m) => m.Help))
const PlanSheet = lazy(() => import('./shell/plan-sheet.tsx').then((m) => m.PlanSheet))
const More = lazy(() => import('./shell/more.tsx').then((m) => m.More))

function Missing() {
  return (
    <Page title="There is no such page." lede="The address may have been cut off.">
      <p class="section">
        <a href={to('/')}>Open the overview</a>
      </p>
    </Page>
  )
}

/** The shell around each page. */
export function App() {
  const content = useRef<HTMLElement>(null)
  const more = useSignal(false)
  const Shown = pages[path.value] ?? Missing

  useEffect(() => {
    if (arrived.value > 0) content.current?.focus({ preventScroll: true })
    more.value = false
  }, [arrived.value])

  useEffect(() => {
    const title = session.value?.title ?? 'arq-ts'
    document.title = `${entryOf(path.value)?.name ?? 'Not found'} · ${title}`
  }, [path.value, session.value])

  return (
    <div class="app">
      <a class="skip" href="#content" onClick={(event) => (event.preventDefault(), content.current?.focus())}>
        Skip to the content
      </a>
      <Rail />
      <div class="main">
        <TopBar />
        <main class="content" id="content" tabIndex={-1} ref={content} aria-label={entryOf(path.value)?.name ?? 'Page'}>
          {refusal.value && !session.value ? (
            <Page title="The dashboard could not load.">
              <div class="section">
                <Failure of={refusal.value} retry={() => void loadSession()} />
              </div>
            </Page>
          ) : session.value ? (
            <Shown key={path.value} />
          ) : null}
        </main>
      </div>
      <BottomBar more={() => (more.value = true)} />
      {palette.value !== null && <Palette />}
      {help.value && <Help />}
      {planned.value && <PlanSheet />}
      {more.value && <More close={() => (more.value = false)} />}
      <Toasts />
    </div>
  )
}
