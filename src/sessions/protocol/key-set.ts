import { errors } from 'jose';

/** Whether an error of jose says that a set of keys could not be had, which says nothing about a token. */
export function isKeySetFault(error: unknown): boolean {
  // An endpoint that answers with anything but a set of keys makes jose throw its base class.
  return error instanceof errors.JWKSTimeout || (error instanceof Error && error.constructor === errors.JOSEError);
}
