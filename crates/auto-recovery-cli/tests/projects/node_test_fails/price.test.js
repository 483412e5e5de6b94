const assert = require("node:assert");
const test = require("node:test");

test("ten pieces", () => {
  assert.strictEqual(10 * 2, 30);
});
