/** What a user wrote is wrong: one line for each fault. Nothing was started; the exit code is 2. */
export class ConfigError extends Error {
  readonly code = 'bad_configuration';
  readonly canRetry = false;

  constructor(faults: string | readonly string[]) {
    super(typeof faults === 'string' ? faults : faults.join('\n'));
    this.name = 'ConfigError';
  }
}
