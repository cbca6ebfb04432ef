export function signatureOf(file: string, lua: string): string
export function signaturesIn(module: string): Map<string, string>
export function refuseChanged(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
  changed: readonly string[],
): void
