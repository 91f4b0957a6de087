/** Bugs of who gives way in a deadlock over several databases, and of how its statement is ended. */
import type { Mutant } from './mutant.ts';

const graph = 'server/engine/wait-graph.ts';
const waits = 'client-sdk/resource/waits.ts';

/** Of what the coordinator makes of reports, and of what a service does when it is to give way. */
export const deadlockMutants: readonly Mutant[] = [
  {
    name: 'elder-gives-way',
    idea: 'of two that wait for each other the one that has worked longer is ended',
    file: graph,
    find: 'return oneMs === otherMs ? one > other : oneMs > otherMs;',
    replace: 'return oneMs === otherMs ? one < other : oneMs < otherMs;',
    killedBy: ['wait-graph'],
  },
  {
    name: 'claims-of-different-moments-joined',
    idea: 'two waits that were never there together are taken for a deadlock',
    file: graph,
    find: 'edge.firstAtMs <= atMs && atMs <= edge.confirmedAtMs',
    replace: 'edge.firstAtMs <= atMs',
    killedBy: ['wait-graph'],
  },
  {
    name: 'report-counted-twice',
    idea: 'a report that a broken line brings twice confirms itself',
    file: graph,
    find: 'if (before === undefined || before.look < request.look) {',
    replace: 'if (before === undefined || before.look <= request.look) {',
    killedBy: ['wait-graph'],
  },
  {
    name: 'next-wait-gives-way',
    idea: 'who gave way is told so again for the next thing it waits for',
    file: graph,
    find: 'return isStill ? { wait: verdict.wait, to: verdict.to } : null;',
    replace:
      'return { wait: request.waits[0]?.id ?? (isStill ? verdict.wait : 0), to: verdict.to };',
    killedBy: ['wait-graph'],
  },
  {
    name: 'cancel-without-doom',
    idea: 'a statement that was done before its cancel counts, and the next one is hit',
    file: waits,
    find: 'if (to !== null) throw gaveWay(',
    replace: 'if (to !== null && !outcome.isDone) throw gaveWay(',
    killedBy: ['waits'],
  },
  {
    name: 'late-cancel-hits-another',
    idea: 'a connection goes back to its pool while a cancel of ours is on its way to it',
    file: waits,
    find: 'else void this.#calm.then(release);',
    replace: 'else release();',
    killedBy: ['waits'],
  },
  {
    name: 'cancel-left-for-the-next-statement',
    idea: 'a cancel that was answered, and comes to its session later, ends whatever runs then',
    file: waits,
    find: "if (this.#to !== null) await this.#ports.session.query('select 1').catch(nothing);",
    replace: '',
    killedBy: ['waits'],
  },
  {
    name: 'initiator-not-reported',
    idea: 'what an initiator holds while it waits for another service is nobody’s',
    file: 'client-sdk/resource/locals.ts',
    find: "branches.knowledge !== 'none'",
    replace: "branches.knowledge === 'unknown'",
    killedBy: ['at-deadlocks'],
  },
];
