const MESSAGE = /Code: (\d+)\. DB::Exception: .*\((\w+)\)/s;

// The statuses of ClickHouse's own src/Server/HTTP/exceptionCodeToHTTPStatus.cpp; all other names are 500.
const BAD_REQUEST =
  'BAD_ARGUMENTS CANNOT_COMPILE_REGEXP CANNOT_PARSE_TEXT CANNOT_PARSE_ESCAPE_SEQUENCE CANNOT_PARSE_QUOTED_STRING ' +
  'CANNOT_PARSE_DATE CANNOT_PARSE_DATETIME CANNOT_PARSE_NUMBER CANNOT_PARSE_IPV4 CANNOT_PARSE_IPV6 CANNOT_PARSE_UUID ' +
  'CANNOT_PARSE_INPUT_ASSERTION_FAILED DUPLICATE_COLUMN ILLEGAL_COLUMN THERE_IS_NO_COLUMN SYNTAX_ERROR INCORRECT_DATA ' +
  'TYPE_MISMATCH VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE';
const NOT_FOUND =
  'UNKNOWN_TABLE UNKNOWN_FUNCTION UNKNOWN_IDENTIFIER UNKNOWN_TYPE UNKNOWN_STORAGE UNKNOWN_DATABASE UNKNOWN_SETTING ' +
  'UNKNOWN_AGGREGATE_FUNCTION UNKNOWN_FORMAT UNKNOWN_DATABASE_ENGINE UNKNOWN_TYPE_OF_QUERY';
const STATUS = new Map<string, number>([
  ...BAD_REQUEST.split(' ').map((name) => [name, 400] as const),
  ...NOT_FOUND.split(' ').map((name) => [name, 404] as const),
  ['TIMEOUT_EXCEEDED', 408],
  ['NOT_IMPLEMENTED', 501],
  ['CANNOT_OPEN_FILE', 503],
]);

/** An error as ClickHouse's HTTP interface shows it. */
export interface HttpException {
  status: number;
  code: number;
  /** `Code: N. DB::Exception: ... (NAME) (version V (official build))` and a line end. */
  body: string;
}

/** An error that is found outside of ClickHouse, worded as it words its own. */
export function exception(code: number, name: string, message: string): Error {
  return new Error(`Code: ${code}. DB::Exception: ${message}. (${name})`);
}

/** `error` is what chdb threw; one without ClickHouse's wording becomes code 1002, UNKNOWN_EXCEPTION. */
export function toHttpException(error: unknown, version: string): HttpException {
  const message = error instanceof Error ? error.message : String(error);
  const [, code, name] = MESSAGE.exec(message) ?? [];
  if (code === undefined || name === undefined) {
    return toHttpException(exception(1002, 'UNKNOWN_EXCEPTION', message), version);
  }
  const body = `${message} (version ${version} (official build))\n`;
  return { status: STATUS.get(name) ?? 500, code: Number(code), body };
}
