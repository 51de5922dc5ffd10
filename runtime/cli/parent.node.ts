/**
 * @file The end of a process with the one that started it, however that ended. A process that was given
 * a channel to its parent (`stdio: 'ipc'`) sees it close, also when the parent was killed.
 */

/**
 * Without a channel nothing happens: such a process outlives its parent, as daemons do.
 * @param stop called when the parent is gone; what does not end by that within the limit is ended.
 */
export function endWithParent(stop: () => void, limitMs = 10_000): void {
  const gone = (): void => {
    stop();
    setTimeout(() => process.exit(130), limitMs).unref();
  };
  // It may have gone while this process started; the event came before anybody listened then.
  if (process.connected === false) gone();
  else process.once('disconnect', gone);
  // To listen is no reason to stay.
  process.channel?.unref();
}
