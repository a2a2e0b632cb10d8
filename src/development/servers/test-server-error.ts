export type TestServerErrorCode =
  | 'kafka_unavailable'
  | 'kafka_not_ready'
  | 'jars_unavailable'
  | 'broker_exited'
  | 'registry_unavailable'
  | 'no_certificates'
  | 'clickhouse_not_started'
  | 'no_python'
  | 'no_node'
  | 'build_failed';

/** A server for a test is not available. The message says what to install or to set. */
export class TestServerError extends Error {
  override readonly name = 'TestServerError';
  readonly code: TestServerErrorCode;
  readonly canRetry = false;

  constructor(code: TestServerErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}
