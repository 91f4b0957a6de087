/** Randomness as a port: only jitter uses it in the engine. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
}

/** The system's generator. */
export function systemRandom(): Random {
  return { next: () => Math.random() };
}

/** A small seeded generator (mulberry32): the same seed gives the same numbers, for tests and demos. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return {
    next() {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = state;
      t = Math.imul(t ^ (t >>> 15), t | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    },
  };
}
