/** Ends commands that go on until somebody stops them: the first signal aborts, and is no failure. */

/** Aborted by SIGINT or SIGTERM. `close` gives the signals back to the process. */
export interface StopSignal {
  readonly signal: AbortSignal;
  /** Resolves after so long, or at once when it is aborted. */
  pause(ms: number): Promise<void>;
  close(): void;
}

/** Takes the signals of this process. */
export function watchStop(): StopSignal {
  const controller = new AbortController();
  const { signal } = controller;
  const stop = () => controller.abort();
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return {
    signal,
    pause(ms) {
      return new Promise((resolve) => {
        if (signal.aborted) return resolve();
        const over = () => {
          clearTimeout(timer);
          signal.removeEventListener('abort', over);
          resolve();
        };
        const timer = setTimeout(over, ms);
        signal.addEventListener('abort', over);
      });
    },
    close() {
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
    },
  };
}
