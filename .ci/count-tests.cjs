// count-tests.cjs FILE: prints how many tests of a JSON report of Vitest passed, and how many failed (a file that broke counts as one).
// count-tests.cjs --slowest FILE...: prints the files that take half a minute or more, as test/slowest-files.json holds them.
const { readFileSync } = require('node:fs');
const { relative } = require('node:path');

const read = (file) => JSON.parse(readFileSync(file, 'utf8'));
const [first, ...rest] = process.argv.slice(2);
if (first === '--slowest') {
  const seconds = rest
    .flatMap((file) => read(file).testResults)
    .map(({ name, startTime, endTime }) => [relative(process.cwd(), name), Math.round((endTime - startTime) / 1000)])
    .filter(([, taken]) => taken >= 30)
    .sort(([, a], [, b]) => b - a);
  console.log(
    `\nfiles that take half a minute or more (test/slowest-files.json):\n${JSON.stringify(Object.fromEntries(seconds), null, 2)}`,
  );
} else {
  const { numPassedTests, numFailedTests, numTotalTests, testResults } = read(first);
  const broken = testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((each) => each.status === 'failed'),
  );
  if (numTotalTests === 0) process.exit(1);
  console.log(numPassedTests, numFailedTests + broken.length);
}
