/** Whether the journal must be read again before the next attempt: most likely another engine has taken over. */
export function isFenced(error: unknown): boolean {
  const { code } = error as { code?: string };
  return code === 'batch_fenced' || code === 'claim_lost';
}
