export const total = (a, b => {
