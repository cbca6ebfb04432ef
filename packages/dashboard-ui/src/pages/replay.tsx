import { useState } from 'preact/hooks'
import { shown } from '../format/names.ts'
import type { JobView } from '@arq-ts/dashboard/api'
import { segments } from '../api/client.ts'
import { perform } from '../shell/toasts.tsx'
import { navigate, to } from '../router.ts'
import { Sheet } from '../ui/sheet.tsx'
import { fieldsOf, read, type Field } from './replay-fields.ts'

/** A copy of a job with other arguments: a field each where the task declares a schema, JSON otherwise. */
export function Replay({ job, schema, close }: { job: JobView; schema: unknown; close: () => void }) {
  const args = Array.isArray(job.args.json) ? job.args.json : []
  const kwargs = (job.kwargs.json ?? {}) as Record<string, unknown>
  const [fields, setFields] = useState<Field[] | null>(() => fieldsOf(schema, args, kwargs))
  const [texts, setTexts] = useState({ args: JSON.stringify(args, null, 2), kwargs: JSON.stringify(kwargs, null, 2) })
  const [problem, setProblem] = useState('')
  const cut = job.args.cut || job.kwargs.cut || job.args.redacted || job.kwargs.redacted

  const submit = async (event: Event) => {
    event.preventDefault()
    const body = fields ? read(fields) : readJson(texts)
    if (typeof body === 'string') {
      setProblem(body)
      return
    }
    const answer = await perform(`jobs/${segments(job.jobId)}/clone`, {
      ...body,
      ...(job.queueName === null ? {} : { queueName: job.queueName }),
    })
    if (!answer?.done) return
    close()
    if (answer.jobId !== null) navigate(to('/job', { id: answer.jobId, queue: job.queueName }))
  }
  return (
    <Sheet
      title={`Replay ${job.functionName === null ? 'the job' : shown(job.functionName)} with edits`}
      lede="It becomes a new job with a new id. This one stays as it is."
      close={close}
      foot={
        <>
          <button type="submit" form="replay" class="button primary">
            Enqueue 1 job
          </button>
          <button type="button" class="button" onClick={close}>
            Cancel
          </button>
        </>
      }
    >
      {cut && (
        <p class="warning">Parts of the arguments are not shown here. Replace them before you enqueue the job.</p>
      )}
      <form id="replay" class="replay" onSubmit={(event) => void submit(event)}>
        {fields
          ? fields.map((field, i) => (
              <FieldInput
                key={field.name}
                field={field}
                set={(text) => setFields(fields.map((one, k) => (k === i ? { ...one, text } : one)))}
              />
            ))
          : (['args', 'kwargs'] as const).map((name) => (
              <label class="labelled" key={name}>
                {name === 'args' ? 'Positional arguments, a JSON array' : 'Keyword arguments, a JSON object'}
                <textarea
                  class="field"
                  rows={Math.min(16, texts[name].split('\n').length + 1)}
                  spellcheck={false}
                  value={texts[name]}
                  onInput={(event) => setTexts({ ...texts, [name]: event.currentTarget.value })}
                />
              </label>
            ))}
        {problem && (
          <p class="failing" role="alert">
            {problem}
          </p>
        )}
      </form>
    </Sheet>
  )
}

function FieldInput({ field, set }: { field: Field; set: (text: string) => void }) {
  const { name, kind, text, options, note } = field
  return (
    <label class="labelled">
      <span>
        <code>{name}</code> {note}
      </span>
      {kind === 'choice' || kind === 'boolean' ? (
        <select class="field" value={text} onChange={(event) => set(event.currentTarget.value)}>
          {(kind === 'boolean' ? ['true', 'false'] : options).map((option) => (
            <option key={option} value={option}>
              {option}
            </option>
          ))}
        </select>
      ) : kind === 'json' ? (
        <textarea
          class="field"
          rows={4}
          spellcheck={false}
          value={text}
          onInput={(event) => set(event.currentTarget.value)}
        />
      ) : (
        <input
          class="field"
          type="text"
          inputMode={kind === 'number' ? 'decimal' : 'text'}
          value={text}
          onInput={(event) => set(event.currentTarget.value)}
        />
      )}
    </label>
  )
}

function readJson(texts: {
  args: string
  kwargs: string
}): { args: unknown[]; kwargs: Record<string, unknown> } | string {
  try {
    const args: unknown = JSON.parse(texts.args || '[]')
    const kwargs: unknown = JSON.parse(texts.kwargs || '{}')
    if (!Array.isArray(args)) return 'Expected the positional arguments to be a JSON array.'
    if (typeof kwargs !== 'object' || kwargs === null || Array.isArray(kwargs))
      return 'Expected the keyword arguments to be a JSON object.'
    return { args, kwargs: kwargs as Record<string, unknown> }
  } catch (error) {
    return `The arguments are not JSON: ${(error as Error).message}`
  }
}
