/** This package's version, as its registry entries tell. A test holds it against package.json. */
export const VERSION = '0.1.0'
