export const save = () => {}
export const notAFunction = 1
