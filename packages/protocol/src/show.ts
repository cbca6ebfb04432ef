/** The bounded ways through decoded values, for whoever shows, stores or checks them. */
export { jsonText } from './json/json.ts'
export type { JsonLiberties } from './json/json.ts'
export { escapeJsonLine, escapeUnprintable, jsonString, showName, truncate } from './values/escape.ts'
export { repr, reprCall } from './values/repr.ts'
export { showJson } from './values/show-json.ts'
export type { ShowJsonOptions } from './values/show-json.ts'
export { measure } from './values/walk.ts'
export type { Extent } from './values/walk.ts'
