/**
 * One answer for all who ask while the one before is being fetched. Whoever asks gets an answer that was fetched after the
 * question: the one under way when he asked began too early for him.
 */
export function shared<T>(fetch: () => Promise<T>): () => Promise<T> {
  let running: Promise<unknown> = Promise.resolve();
  let next: Promise<T> | null = null;
  return () => {
    next ??= running
      .catch(() => {})
      .then(() => {
        const answer = fetch();
        running = answer;
        next = null;
        return answer;
      });
    return next;
  };
}
