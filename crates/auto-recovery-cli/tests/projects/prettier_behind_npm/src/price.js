export const price=(pieces)=>{return pieces*3}
