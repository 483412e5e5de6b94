export const total=(a,b)=>{return a+b}
