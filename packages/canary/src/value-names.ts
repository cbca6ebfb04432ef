/** Names of numbers that services record with requests. Pure. */
export const VALUE_NAME = /^[A-Za-z0-9_.-]{1,64}$/

/** False for a name that every object has, such as `constructor`: sums by name would begin with what is not a number. */
export function isValueName(name: string): boolean {
  return !(name in Object.prototype)
}
