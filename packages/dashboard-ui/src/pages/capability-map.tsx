import type { FunctionRow } from '@arq-ts/dashboard/api'
import { number } from '../format/number.ts'
import { brief } from '../format/duration.ts'
import { shown } from '../format/names.ts'
import { narrow } from '../state/narrow.ts'
import { Section } from '../ui/parts.tsx'
import { Languages, Mark } from '../ui/status.tsx'

/** A dot of the map: runs it, may have it, has it not. */
function Dot({ kind }: { kind: 'has' | 'may' | 'none' }) {
  return (
    <svg class="dot-cell" width={14} height={14} viewBox="0 0 14 14" aria-hidden="true">
      {kind === 'has' ? (
        <circle cx={7} cy={7} r={5} fill="currentColor" />
      ) : kind === 'may' ? (
        <circle cx={7} cy={7} r={4.2} fill="none" stroke="currentColor" stroke-width={1.7} />
      ) : (
        <circle cx={7} cy={7} r={1.1} class="nothing" />
      )}
    </svg>
  )
}

const words = { has: 'has it', may: 'may have it', none: 'has it not' }

interface Props {
  rows: FunctionRow[]
  chosen: string | null
  pick: (name: string) => void
}

/** Functions by workers and languages. More than eight workers are counted instead of shown. */
export function CapabilityMap({ rows, chosen, pick }: Props) {
  const workers = [
    ...new Map(rows.flatMap((row) => row.workers.map((worker) => [worker.id, worker.name]))).entries(),
  ].sort(([, a], [, b]) => a.localeCompare(b))
  const counted = narrow.value || workers.length > 8
  return (
    <Section
      title="Who can run what"
      more={
        <span class="key">
          <Dot kind="has" /> has it <Dot kind="may" /> may have it: Python declares nothing
        </span>
      }
    >
      <div class="scroll">
        <table class="map">
          <thead>
            <tr>
              <th scope="col">Function</th>
              <th scope="col" class="mid edge">
                Python
                <Languages of={['python']} />
              </th>
              {counted ? (
                <th scope="col" class="mid edge">
                  TypeScript
                  <Languages of={['arq-ts']} />
                </th>
              ) : (
                workers.map(([id, name], i) => (
                  <th scope="col" class={`mid ${i ? '' : 'edge'}`} key={id} title={shown(id)}>
                    <span class="head">{shown(name)}</span>
                    {i === 0 && <Languages of={['arq-ts']} />}
                  </th>
                ))
              )}
              <th scope="col" class="n edge">
                Queued
              </th>
              <th scope="col" class="n wide">
                Running
              </th>
              <th scope="col" class="n wide">
                Dead
              </th>
              <th scope="col" class="wide">
                Declared
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => {
              const queued = row.queues.reduce((sum, queue) => sum + queue.waiting, 0)
              const python = row.python === 'seen' ? 'has' : row.python === 'possible' ? 'may' : 'none'
              return (
                <tr
                  key={row.functionName}
                  class={row.unserved ? 'tint-warning' : ''}
                  aria-selected={row.functionName === chosen ? 'true' : undefined}
                >
                  <th scope="row" class="name">
                    <button type="button" class="plain-link" data-row onClick={() => pick(row.functionName)}>
                      <code>{shown(row.functionName)}</code>
                    </button>
                  </th>
                  <td class="mid edge">
                    <Dot kind={python} />
                    <span class="sr">{words[python]}</span>
                  </td>
                  {counted ? (
                    <td class="mid edge num">
                      {row.workers.length ? `${row.workers.length} of ${workers.length}` : <span class="muted">0</span>}
                    </td>
                  ) : (
                    workers.map(([id], i) => {
                      const kind = row.workers.some((worker) => worker.id === id) ? 'has' : 'none'
                      return (
                        <td class={`mid ${i ? '' : 'edge'}`} key={id}>
                          <Dot kind={kind} />
                          <span class="sr">{words[kind]}</span>
                        </td>
                      )
                    })
                  )}
                  <td class={`n edge ${row.unserved ? 'warning strong' : ''}`}>
                    {row.unserved && <Mark shape="warning" size={14} />} {number(queued)}
                  </td>
                  <td class="n fade wide">{number(row.running)}</td>
                  <td class="n fade wide">{number(row.dead)}</td>
                  <td class="fade wide">{declared(row)}</td>
                </tr>
              )
            })}
          </tbody>
        </table>
      </div>
    </Section>
  )
}

function declared({ declared: own, unserved, workers, python }: FunctionRow): string {
  if (unserved || (workers.length === 0 && python === 'none')) return 'no live worker'
  if (!own) return '–'
  return (
    [
      own.timeoutMs !== null && `timeout ${brief(own.timeoutMs)}`,
      own.maxTries !== null && `${own.maxTries} ${own.maxTries === 1 ? 'try' : 'tries'}`,
      own.schema !== null && 'schema',
    ]
      .filter(Boolean)
      .join(', ') || '–'
  )
}
