/**
 * The one place where faults are drawn. Each fault that strikes has a name, `scope/class#n`: the n-th
 * of its class in that scope, a scope being a gid or the world as a whole. A draw happens whether the
 * class is switched off or the fault masked, and a fault's size comes from its own stream; so leaving
 * out one fault leaves the draws of the others alone, and shrinking works.
 */
import type { FaultClass, FaultRates } from './swarm.ts';
import type { Dice, World } from './world.ts';

/** All faults of one run. */
export interface Faults {
  /**
   * Draws whether a fault strikes here; if so, its own dice (for how long, who, how far), else null.
   * `rate` is that of the seed unless given; it is 0 once all has healed.
   */
  strikes(kind: FaultClass, scope: string, about: string, rate?: number): Dice | null;
  rates(): FaultRates;
  isChaos(): boolean;
  /** The chaos is over: nothing strikes any more. */
  heal(): void;
  /** Names of the faults that struck, in order. */
  struck(): readonly string[];
}

interface Scope {
  readonly dice: Dice;
  readonly counts: Map<FaultClass, number>;
}

/** `only`: the faults that may strike, by name; null: all. */
export function createFaults(
  world: World,
  rates: FaultRates,
  only: ReadonlySet<string> | null = null,
): Faults {
  const scopes = new Map<string, Scope>();
  const struck: string[] = [];
  const calm = Object.fromEntries(
    Object.keys(rates).map((name) => [name, 0]),
  ) as unknown as FaultRates;
  let isChaos = true;

  function scopeOf(name: string): Scope {
    const known = scopes.get(name);
    if (known !== undefined) return known;
    const scope = { dice: world.dice(`faults/${name}`), counts: new Map() };
    scopes.set(name, scope);
    return scope;
  }

  return {
    strikes(kind, scopeName, about, rate = rates[kind]) {
      if (!isChaos) return null;
      const scope = scopeOf(scopeName);
      if (!scope.dice.chance(rate)) return null;
      const count = (scope.counts.get(kind) ?? 0) + 1;
      scope.counts.set(kind, count);
      const name = `${scopeName}/${kind}#${count}`;
      if (only !== null && !only.has(name)) return null;
      struck.push(name);
      world.note(`! ${name}: ${about}`);
      return world.dice(name);
    },
    rates: () => (isChaos ? rates : calm),
    isChaos: () => isChaos,
    heal() {
      isChaos = false;
    },
    struck: () => struck,
  };
}
