/** Optional packages, loaded when the first statement wants them. What they are is not known here. */
import { SettleError } from '../errors.ts';

/**
 * Gives what `load` gives, loaded once. When that fails the next call tries again; INVALID_CONFIG
 * says what is read with it and how to install it.
 */
export function lazyPeer<Peer>(load: () => Promise<Peer>, missing: string): () => Promise<Peer> {
  let loading: Promise<Peer> | null = null;
  return async () => {
    loading ??= load();
    try {
      return await loading;
    } catch (error) {
      loading = null;
      throw new SettleError('INVALID_CONFIG', missing, { cause: error });
    }
  };
}
