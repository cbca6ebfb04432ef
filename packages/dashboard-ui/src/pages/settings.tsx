import { session } from '../state/session.ts'
import { theme, views, zone } from '../state/settings.ts'
import { to } from '../router.ts'
import { Icon } from '../ui/icon.tsx'
import { Facts, Page, Section, Segmented } from '../ui/parts.tsx'
import { Mark } from '../ui/status.tsx'

const rights: Record<string, string> = {
  enqueue: 'Enqueue jobs',
  retry: 'Retry jobs',
  abort: 'Abort jobs',
  remove: 'Remove jobs',
  clone: 'Edit and replay jobs',
  'run-now': 'Run jobs now',
  move: 'Move jobs',
  pause: 'Pause queues, cron jobs and schedules',
  resume: 'Resume queues, cron jobs and schedules',
  'run-cron': 'Run cron jobs now',
  mute: 'Mute errors',
  resolve: 'Mark errors as fixed',
  reopen: 'Open errors again',
  repair: 'Run repairs',
  'steer-canary': 'Steer canary deployments',
  flush: 'Flush the cache',
  'cancel-deletion': 'Take deletions back',
  'cancel-flow': 'Cancel flows',
  'replay-flow': 'Replay flows',
  'put-schedule': 'Make and change schedules',
  'remove-schedule': 'Remove schedules',
  'run-schedule': 'Run schedules now',
  'set-limit': 'Set limits',
}

/** This browser's settings, the rights of the user, and the parts of the installation. */
export function Settings() {
  const now = session.value!
  const parts = [
    [
      now.features.recorder,
      'The recorder writes to this Redis',
      'No recorder writes to this Redis: charts and error groups over time are missing',
    ],
    [now.features.stream, 'Changes are pushed to this page', 'Changes are not pushed; the page asks for them'],
    [now.features.progress, 'Handlers may record logs and progress', 'Handlers record no logs and no progress'],
    [now.traceUrl !== null, 'Jobs link to their traces', 'Jobs do not link to traces: no trace address is configured'],
  ] as const
  return (
    <Page
      title={`You are ${now.user?.name ?? 'anonymous'}${now.readOnly ? ', and may look at everything' : ''}.`}
      lede={`arq-ts dashboard ${now.version} on ${now.redis}.`}
    >
      <div class="columns">
        <div>
          <Section title="This browser" remark="kept here, nowhere else">
            <Facts
              of={[
                [
                  'Colours',
                  <Segmented
                    key="t"
                    label="Colours"
                    options={[
                      ['system', 'As the system'],
                      ['light', 'Light'],
                      ['dark', 'Dark'],
                    ]}
                    value={theme.value}
                    pick={(value) => (theme.value = value)}
                  />,
                ],
                [
                  'Times',
                  <Segmented
                    key="z"
                    label="Times"
                    options={[
                      ['utc', 'UTC'],
                      ['local', 'Local'],
                    ]}
                    value={zone.value}
                    pick={(value) => (zone.value = value)}
                  />,
                ],
              ]}
            />
          </Section>
          <Section title="Saved views">
            {views.value.length === 0 ? (
              <p class="muted">
                Save a filter on the <a href={to('/jobs')}>page of jobs</a>; it stands here then.
              </p>
            ) : (
              <ul class="saved">
                {views.value.map((view) => (
                  <li key={view.q}>
                    <input
                      class="field"
                      aria-label={`Name of the view ${view.q}`}
                      value={view.name}
                      onChange={(event) =>
                        (views.value = views.value.map((one) =>
                          one.q === view.q ? { ...one, name: event.currentTarget.value || one.q } : one,
                        ))
                      }
                    />
                    <a href={to('/jobs', { q: view.q })}>{view.q}</a>
                    <button
                      type="button"
                      class="button plain square"
                      aria-label={`Forget the view ${view.name}`}
                      onClick={() => (views.value = views.value.filter((one) => one.q !== view.q))}
                    >
                      <Icon name="x" />
                    </button>
                  </li>
                ))}
              </ul>
            )}
          </Section>
        </div>
        <aside>
          <Section title="Rights" remark={now.user?.role ?? ''}>
            <ul class="checks">
              {now.readOnly || now.actions.length === 0 ? (
                <li>
                  <Mark shape="open" /> You may read everything and change nothing.
                </li>
              ) : (
                now.actions.map((action) => (
                  <li key={action}>
                    <Mark shape="on-time" /> {rights[action] ?? action}
                  </li>
                ))
              )}
            </ul>
          </Section>
          <Section title="This installation">
            <ul class="checks">
              {parts.map(([on, yes, no]) => (
                <li key={yes}>
                  <Mark shape={on ? 'on-time' : 'open'} /> <span>{on ? yes : no}.</span>
                </li>
              ))}
            </ul>
          </Section>
        </aside>
      </div>
    </Page>
  )
}
