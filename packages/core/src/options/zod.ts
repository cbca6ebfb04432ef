/**
 * The parts of zod that options are checked with. The published package has them in its bundle (scripts/bundle.mjs): a
 * producer without schemas loads them, and none of the rest of zod.
 */
export {
  array,
  boolean,
  custom,
  enum,
  instanceof,
  literal,
  looseObject,
  number,
  record,
  strictObject,
  string,
  toJSONSchema,
  union,
  unknown,
} from 'zod'
export type { core, input, output, ZodNumber, ZodObject, ZodSafeParseResult, ZodType } from 'zod'
