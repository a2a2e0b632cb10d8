/**
 * Calls `stop` at the first SIGINT or SIGTERM; at a second one, or when stopping takes longer than `graceMs`, the process
 * ends at once. Returns a function that takes the handlers off again.
 */
export function onStopSignal(stop: () => void, graceMs: number): () => void {
  let asked = false;
  const handle = (signal: NodeJS.Signals) => {
    const exitCode = signal === 'SIGINT' ? 130 : 143;
    if (asked) process.exit(exitCode);
    asked = true;
    // The journal is consistent whatever happens: what was not booked is read again by the next run.
    setTimeout(() => process.exit(exitCode), graceMs).unref();
    stop();
  };
  process.on('SIGINT', handle);
  process.on('SIGTERM', handle);
  return () => {
    process.off('SIGINT', handle);
    process.off('SIGTERM', handle);
  };
}

/** Calls `reload` at every SIGHUP. Returns a function that takes the handler off again. */
export function onReloadSignal(reload: () => void): () => void {
  process.on('SIGHUP', reload);
  return () => {
    process.off('SIGHUP', reload);
  };
}

/** A reader that has seen enough (`| head`) closes the pipe: that is an end, and no fault. Calling it again changes nothing. */
export function endOnClosedPipe(stream: NodeJS.WriteStream): void {
  if (!stream.listeners('error').includes(endOnBrokenPipe)) stream.on('error', endOnBrokenPipe);
}

function endOnBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
}
