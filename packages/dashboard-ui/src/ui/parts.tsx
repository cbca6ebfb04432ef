import type { ComponentChildren } from 'preact'
import type { Resource } from '../api/resource.ts'
import type { ApiFailure } from '../api/client.ts'
import { capital } from '../format/number.ts'
import { Mark } from './status.tsx'

/** A page: its sentence, the evidence that follows, and its acts. */
export function Page({
  title,
  lede,
  acts,
  before,
  children,
}: {
  title: ComponentChildren
  lede?: ComponentChildren
  acts?: ComponentChildren
  before?: ComponentChildren
  children?: ComponentChildren
}) {
  return (
    <>
      {before}
      <div class="top">
        <div>
          <h1>{title}</h1>
          {lede && <p class="lede">{lede}</p>}
        </div>
        {acts && <div class="acts">{acts}</div>}
      </div>
      {children}
    </>
  )
}

/** A section with its title, an adjacent remark, and a link at its end. */
export function Section({
  title,
  remark,
  more,
  children,
}: {
  title: ComponentChildren
  remark?: ComponentChildren
  more?: ComponentChildren
  children: ComponentChildren
}) {
  return (
    <section class="section">
      <header>
        <h2>{title}</h2>
        {remark && <span class="muted">{remark}</span>}
        {more && <span class="more">{more}</span>}
      </header>
      {children}
    </section>
  )
}

/** An empty state that says what would stand here, and how it gets there. */
export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <h2>{title}</h2>
      {children}
    </div>
  )
}

/** The limits of what is shown, a sentence each. */
export function Limits({ of }: { of: readonly (string | null | undefined | false)[] }) {
  const shown = of.filter((line): line is string => Boolean(line))
  return shown.length ? <p class="limits">{shown.map((line) => capital(sentence(line))).join(' ')}</p> : null
}

const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`)

/** A request that failed. */
export function Failure({ of, retry }: { of: ApiFailure; retry?: () => void }) {
  return (
    <div class="problem" role="alert">
      <Mark shape="failing" />
      <span>
        {capital(sentence(of.message))} <span class="muted">({of.code})</span>{' '}
        {retry && (
          <button type="button" class="link" onClick={retry}>
            Try again
          </button>
        )}
      </span>
    </div>
  )
}

/** The page of a resource: its failure, nothing while it loads for the first time, or what is made of its data. */
export function Loaded<T>({ of, children }: { of: Resource<T>; children: (data: T) => ComponentChildren }) {
  if (of.data === undefined) return of.failure ? <Failure of={of.failure} retry={of.reload} /> : <Waiting />
  return (
    <>
      {of.failure && <Failure of={of.failure} retry={of.reload} />}
      {children(of.data)}
    </>
  )
}

/** A first load; nothing moves while it takes. */
export function Waiting() {
  return (
    <p class="muted waiting" role="status">
      Loading …
    </p>
  )
}

/** One choice of a few. */
export function Segmented<T extends string>({
  label,
  options,
  value,
  pick,
}: {
  label: string
  options: readonly (readonly [T, string])[]
  value: T
  pick: (value: T) => void
}) {
  return (
    <div class="segmented" role="group" aria-label={label}>
      {options.map(([name, text]) => (
        <button key={name} type="button" aria-pressed={name === value} onClick={() => pick(name)}>
          {text}
        </button>
      ))}
    </div>
  )
}

/** Facts as pairs; pairs without a value are left out. */
export function Facts({ of }: { of: readonly (readonly [string, ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {of
        .filter(([, value]) => value !== null && value !== undefined && value !== false)
        .map(([name, value]) => [<dt key={name}>{name}</dt>, <dd key={`${name}.`}>{value}</dd>])}
    </dl>
  )
}
