/** Version of this package, as in its registry entries. A test holds it against package.json. */
export const VERSION = '0.1.0'
