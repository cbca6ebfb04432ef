/** Fields of a form from a task's JSON Schema, and the arguments that the filled form means. Pure. */

/** One parameter of a task. */
export interface Field {
  name: string
  kind: 'string' | 'number' | 'boolean' | 'choice' | 'json'
  text: string
  options: string[]
  note: string
  required: boolean
}

interface Property {
  type?: string
  enum?: unknown[]
  default?: unknown
  description?: string
}

/** Fields of a schema, filled with the arguments of a job; null where the schema does not describe them. */
export function fieldsOf(schema: unknown, args: unknown[], kwargs: Record<string, unknown>): Field[] | null {
  const { properties, required = [] } = (schema ?? {}) as { properties?: Record<string, Property>; required?: string[] }
  if (!properties) return null
  const names = Object.keys(properties)
  // Arguments that the schema has no place for would be lost by a form.
  if (args.length > names.length || Object.keys(kwargs).some((name) => !names.includes(name))) return null
  return names.map((name, i) => {
    const property = properties[name]!
    const value = i < args.length ? args[i] : Object.hasOwn(kwargs, name) ? kwargs[name] : property.default
    const kind = kindOf(property, value)
    return {
      name,
      kind,
      text:
        value === undefined
          ? ''
          : kind === 'string' || kind === 'choice'
            ? String(value)
            : JSON.stringify(value, null, kind === 'json' ? 2 : 0),
      options: (property.enum ?? []).map(String),
      note: [property.type, !required.includes(name) && 'optional', property.description].filter(Boolean).join(', '),
      required: required.includes(name),
    }
  })
}

function kindOf({ type, enum: choices }: Property, value: unknown): Field['kind'] {
  if (choices?.every((choice) => typeof choice === 'string')) return 'choice'
  if (type === 'string' && (value === undefined || typeof value === 'string')) return 'string'
  if ((type === 'number' || type === 'integer') && (value === undefined || typeof value === 'number')) return 'number'
  return type === 'boolean' && typeof value === 'boolean' ? 'boolean' : 'json'
}

/** The keyword arguments that the fields mean, or the reason why they mean none. */
export function read(fields: readonly Field[]): { args: unknown[]; kwargs: Record<string, unknown> } | string {
  const kwargs: Record<string, unknown> = {}
  for (const { name, kind, text, required } of fields) {
    if (kind === 'string' || kind === 'choice') {
      if (text !== '' || required) kwargs[name] = text
      continue
    }
    if (text.trim() === '') {
      if (required) return `Expected a value for "${name}".`
      continue
    }
    try {
      const value: unknown = JSON.parse(text)
      if (kind === 'number' && typeof value !== 'number') return `Expected "${name}" to be a number, got ${text}.`
      kwargs[name] = value
    } catch {
      return `Expected "${name}" to be ${kind === 'number' ? 'a number' : 'JSON'}, got ${text}.`
    }
  }
  return { args: [], kwargs }
}
