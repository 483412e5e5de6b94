export default [
  { rules: { 'prefer-const': 'error', 'no-undef': 'error' } },
];
