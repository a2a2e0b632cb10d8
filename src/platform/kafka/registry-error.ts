export type RegistryErrorCode =
  /** It does not answer, or says that it cannot now. */
  | 'registry_unavailable'
  /** It answers, and will not serve this client: credentials, certificates or address are wrong. */
  | 'registry_refused'
  /** It now has another schema under an id that records were booked with. */
  | 'schema_changed';

/** The schema registry could not be asked. The message says what is wrong with what, and what to do about it. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError';
  readonly code: RegistryErrorCode;
  readonly canRetry: boolean;

  constructor(code: RegistryErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
    this.canRetry = code === 'registry_unavailable';
  }
}
