let each = 3;
export const price = (pieces) => pieces   *  each;
