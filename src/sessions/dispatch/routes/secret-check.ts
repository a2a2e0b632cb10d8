/** The secret or token of `Authorization: Bearer`; undefined when the header is not of that form. */
export function bearerOf(authorization: string | undefined): string | undefined {
  return /^Bearer ([^\s]+)$/i.exec(authorization ?? '')?.[1];
}
