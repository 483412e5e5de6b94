const { full } = require("pricelist");

console.log(full(10));
