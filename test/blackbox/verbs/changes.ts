/** What each verb that changes something is asked, what it changes, and what it refuses. */
import pg from 'pg';
import { expect } from 'vitest';
import type { ShapeName } from '../../support/answer-shape.ts';
import type { World } from './world.ts';

type Words = readonly string[];

type Cases = readonly (readonly [Words, number])[];

/** One thing to be changed. */
export interface Subject {
  /** What comes after the verb, without a reason. */
  readonly args: Words;
  /** How it stands; what a dry run leaves as it is. */
  state(): Promise<unknown>;
  /** Waits until it is as it should be, and says so. */
  changed(): Promise<void>;
}

/** A verb that changes something. */
export interface Change {
  readonly answer: ShapeName;
  /** Its name in the audit. */
  readonly action: string;
  readonly make: (world: World) => Promise<Subject>;
  /** Arguments that are refused, with which exit code; a reason is given. */
  readonly refused: (world: World) => Cases | Promise<Cases>;
}

const noGid = [
  [['nothing'], 3],
  [['a/b'], 2],
] as const;

export const changes: Readonly<Record<string, Change>> = {
  'tx retry': {
    answer: 'OperationAnswer',
    action: 'tx.retry',
    async make(world) {
      await world.stuck('retry-1');
      world.mendWallets();
      return ends(world, 'retry-1', 'committed', ['retry-1']);
    },
    refused: ({ gids }) => [...noGid, [[], 2], [[gids.poison, '--all'], 2], [[gids.ended], 4]],
  },
  'tx rollback': {
    answer: 'OperationAnswer',
    action: 'tx.rollback',
    async make(world) {
      world.mendWallets();
      return ends(world, world.gids.abandoned, 'rolledBack', [world.gids.abandoned]);
    },
    refused: ({ gids }) => [...noGid, [[gids.poison], 4], [['--phase', 'committed'], 2]],
  },
  'tx resolve': {
    answer: 'OperationAnswer',
    action: 'tx.resolve',
    async make(world) {
      await world.stuck('resolve-1');
      return ends(world, 'resolve-1', 'committed', ['resolve-1']);
    },
    async refused(world) {
      await world.undecided('resolve-2');
      return [...noGid, [['resolve-2'], 4]];
    },
  },
  'branch retry': {
    answer: 'OperationAnswer',
    action: 'tx.retry',
    async make(world) {
      await world.stuck('branch-retry-1');
      world.mendWallets();
      return ends(world, 'branch-retry-1', 'committed', ['branch-retry-1', '2']);
    },
    refused: ({ gids }) => [
      [['nothing', '1'], 3],
      [[gids.poison, '3'], 3],
      [[gids.poison], 2],
    ],
  },
  'branch skip': {
    answer: 'OperationAnswer',
    action: 'tx.skip',
    async make(world) {
      await world.stuck('skip-1');
      return ends(world, 'skip-1', 'committed', ['skip-1', '2']);
    },
    refused: ({ gids }) => [
      [['nothing', '1'], 3],
      [[gids.poison, '1'], 4],
      [[gids.poison, '2', '--operation', 'cancel'], 4],
      [[gids.poison, '2', '--result', 'no json'], 2],
    ],
  },
  'undo resolve': {
    answer: 'ResolvedAnswer',
    action: 'undo.resolve',
    async make(world) {
      const { stockUrl, gids } = world;
      const merge = ['--merge', 'article kettle'];
      const subject = ends(world, gids.dirty, 'rolledBack', [gids.dirty, ...merge]);
      return {
        ...subject,
        state: async () => [await subject.state(), await rowsIn(stockUrl)],
        async changed() {
          await subject.changed();
          expect(await rowsIn(stockUrl)).toContainEqual({
            name: 'kettle',
            pieces: 10,
            shelf: 'B-7',
          });
        },
      };
    },
    refused: ({ gids }) => [
      [['nothing', '--others', 'keep'], 3],
      [[gids.dirty], 2],
      [[gids.dirty, '--keep', 'article teapot'], 2],
      [[gids.dirty, '--others', 'keep', '--seen', '0'.repeat(64)], 4],
    ],
  },
  'participant drain': drainOf('drain', true),
  'participant undrain': drainOf('undrain', false),
};

/** A transaction that ends by it. */
function ends(world: World, gid: string, phase: string, args: Words): Subject {
  return {
    args,
    state: () => world.stateOf(gid),
    changed: async () => expect(await world.endOf(gid)).toBe(phase),
  };
}

/** A service that nobody calls. */
function drainOf(verb: 'drain' | 'undrain', isDrained: boolean): Change {
  const service = 'seldom';
  return {
    answer: 'DrainAnswer',
    action: `participant.${verb}`,
    async make({ client, settle }) {
      const state = async () => {
        const answer = (await client.get('/v1/participants')) as {
          participants: { service: string; isDrained: boolean }[];
        };
        return answer.participants.some((one) => one.service === service && one.isDrained);
      };
      if (!isDrained) await settle('participant', 'drain', service, '--reason', 'for now');
      return {
        args: [service],
        state,
        changed: async () => expect(await state()).toBe(isDrained),
      };
    },
    refused: () => [
      [['two words'], 2],
      [[], 2],
    ],
  };
}

async function rowsIn(url: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query('select name, pieces, shelf from article order by name');
  await client.end();
  return rows;
}
