// count-tests.cjs FILE: prints how many tests of a JSON report of Vitest passed, and how many failed (a file that broke counts as one).
// count-tests.cjs --failed FILE: prints the file and name of each test that failed, with the first line of its error.
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
} else if (first === '--failed') {
  for (const { name, status, message, assertionResults } of read(rest[0]).testResults) {
    if (status !== 'failed') continue;
    const tests = assertionResults.filter((each) => each.status === 'failed');
    const lines = tests.map((each) =>
      [each.fullName, ...each.failureMessages.map((text) => text.split('\n')[0])].join(': '),
    );
    for (const line of tests.length > 0 ? lines : [message.split('\n')[0]]) {
      console.log(`${relative(process.cwd(), name)}: ${line}`);
    }
  }
} else {
  const { numPassedTests, numFailedTests, numTotalTests, testResults } = read(first);
  const broken = testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((each) => each.status === 'failed'),
  );
  if (numTotalTests === 0) process.exit(1);
  console.log(numPassedTests, numFailedTests + broken.length);
}
