/** Names of the fields of an object of options, symbols included, which are no name of an option. */
export function optionNames(options: object): string[] {
  const symbols = Object.getOwnPropertySymbols(options)
  const visible = symbols.filter((key) => Object.prototype.propertyIsEnumerable.call(options, key))
  return [...Object.keys(options), ...visible.map(String)]
}
