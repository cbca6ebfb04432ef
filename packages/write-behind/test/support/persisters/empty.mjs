export const notAFunction = 1
