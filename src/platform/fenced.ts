/** Whether reading the journal again is all that it takes to go on: most likely another engine has taken over. */
export function isFenced(error: unknown): boolean {
  const { code } = error as { code?: string };
  return code === 'batch_fenced' || code === 'claim_lost';
}
