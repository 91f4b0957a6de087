/** What each verb that only looks is asked, what it has to print, and what it refuses. */
import { expect } from 'vitest';
import { expectShape, type ShapeName } from '../../support/answer-shape.ts';
import type { World } from './world.ts';

type Words = readonly string[];

/** A verb that changes nothing. */
export interface Look {
  /** What comes after the verb. */
  readonly args: (world: World) => Words;
  /** A line of stdout for people. */
  readonly data: RegExp;
  /** All of stderr for people; without it nothing is said. */
  readonly talk?: RegExp;
  /** One object; or a list, which is one object a line. */
  readonly json: ((object: Record<string, unknown>, world: World) => void) | { each: ShapeName };
  /** Arguments that are refused, and with which exit code. */
  readonly refused?: readonly (readonly [Words, number])[];
  /** When it is not always 0, by what it has said. */
  readonly code?: (stderr: string) => number;
}

const shape = (name: ShapeName) => (object: unknown) => expectShape(name, object);
const ofGid = [
  [[], 2],
  [['a/b'], 2],
  [['nothing'], 3],
] as const;

export const looks: Readonly<Record<string, Look>> = {
  'tx list': {
    args: () => [],
    data: /^\S+ +transaction +payout +committing +\S+ \S+Z +initiator +retries +the wallet of zoe is/,
    json: { each: 'TransactionSummary' },
    refused: [
      [['--none-such'], 2],
      [['--phase', 'lost'], 2],
      [['--older-than', 'soon'], 2],
      [['--limit', '0'], 2],
      [['--cursor', 'made-up'], 2],
    ],
  },
  'tx show': {
    args: ({ gids }) => [gids.poison],
    data: /^└─ 2 +tcc +wallets\/credit +asked +confirm +1 +in [\d.]+ \w+ +the wallet of zoe is frozen/,
    json({ timeline, ...view }) {
      expectShape('TransactionView', view);
      expectShape('TimelineAnswer', { gid: view['gid'], entries: timeline });
    },
    refused: ofGid,
  },
  'tx tail': {
    args: ({ gids }) => [gids.ended],
    data: /^\S+ \S+Z +decided +decided to commit, asked by the initiator/,
    json: { each: 'TimelineEntry' },
    refused: ofGid.slice(1),
  },
  'tx explain': {
    args: ({ gids }) => [gids.abandoned],
    data: /^ {2}Its initiator began it .* and has not decided yet \(2 branches\)/,
    json: shape('Explanation'),
    refused: ofGid,
  },
  'tx export': {
    args: ({ gids }) => [gids.dirty],
    // It always is one JSON object.
    data: /^\{"exportedAtMs":\d+,"version":/,
    json(bundle, { gids }) {
      expectShape('TransactionView', bundle['transaction']);
      expectShape('TimelineAnswer', { gid: gids.dirty, entries: bundle['timeline'] });
      expectShape('Explanation', bundle['explanation']);
      expect(bundle).toMatchObject({ isMasked: true, undo: [{ rows: [{ state: 'dirty' }] }] });
    },
    refused: ofGid,
  },
  'undo show': {
    args: ({ gids }) => [gids.dirty],
    data: /^public\.article +\["kettle"\] +dirty +1 +shelf +somebody else changed it/,
    talk: /^\S+ is rollingBack$/,
    json: shape('UndoAnswer'),
    refused: ofGid,
  },
  'undo diff': {
    args: ({ gids }) => [gids.dirty],
    data: /^ {2}shelf +A-1 +A-1 +B-7/,
    talk: /^\S+ is rollingBack$/,
    json: shape('UndoAnswer'),
    refused: ofGid,
  },
  'lock list': {
    args: () => ['stock', 'goods'],
    data: /^public\.article +name=kettle +\S+ +1 +\d+ \w+$/,
    json: { each: 'HeldLock' },
    refused: [
      [['stock'], 2],
      [['stock', 'nothing'], 3],
      [['stock', 'goods', '--order', 'any'], 2],
    ],
  },
  'lock who': {
    args: () => ['stock', 'goods', 'article', 'kettle'],
    data: /^name +order$/,
    json({ lock, holder }, { gids }) {
      expectShape('HeldLock', lock);
      expectShape('TransactionView', holder);
      expect(lock).toMatchObject({ gid: gids.dirty });
    },
    refused: [
      [['stock', 'goods', 'article'], 2],
      [['stock', 'nothing', 'article', 'kettle'], 3],
    ],
  },
  'lock graph': {
    args: () => [],
    // Rows are held, and nobody waits for one; graphs with somebody in them are in test/at.
    data: /^$/,
    talk: /^Nobody waits for a lock\.$/,
    json: { each: 'LockWait' },
  },
  'participant ping': {
    args: () => ['wallets'],
    data: /^wallets +\S+ +[\d.]+ ms +\S+ +is there$/,
    json: { each: 'PingView' },
    refused: [
      [[], 2],
      [['wallets', '--all'], 2],
      [['wallets', '--timeout', '0'], 2],
    ],
  },
  'participant list': {
    args: () => [],
    data: /^wallets +connected +1 +credit debit +0 +1 +\d+ \w+ +the wallet of zoe is frozen/,
    json: { each: 'ParticipantView' },
  },
  'node list': {
    args: () => [],
    data: /^\S+ \* +http:\S+ +1 +running +\d/,
    talk: /^\* answered this$/,
    json: { each: 'NodeView' },
  },
  'shard list': { args: () => [], data: /^\d+ +\S+ +[123] +[012]$/, json: { each: 'ShardView' } },
  'log stats': { args: () => [], data: /^rows +\d+ \(\d/, json: shape('LogView') },
  'log verify': {
    args: () => [],
    data: /^\d+ transactions read: all are as they must be$/,
    talk: /^transactions read: \d+$/m,
    json: (object) => expectShape('LogVerdict', { ...object, next: null }),
    refused: [[['--page', '501'], 2]],
  },
  'audit list': {
    args: () => ['--limit', '2'],
    data: /^\d+ +\S+ \S+Z +eve +participant\.undrain +done +\d+ +seldom +there must be one entry/,
    talk: /^There are more: --before \d+$/,
    json: { each: 'AuditEntry' },
    refused: [[['--before', '-1'], 2]],
  },
  'audit verify': {
    args: () => [],
    data: /^verdict +every entry is as it was written$/,
    json: shape('AuditVerdict'),
  },
  doctor: {
    args: () => [],
    data: /^ok +participant\.silent: Every open transaction finds its services/,
    talk: /^problems: \d+, notes: \d+, in order: \d+$/,
    json: { each: 'Finding' },
    // A machine that is busy enough is slow, and the doctor says so.
    code: (stderr) => (stderr.startsWith('problems: 0,') ? 0 : 10),
    refused: [[['--log', 'gopher://nowhere'], 2]],
  },
  'config show': {
    args: () => ['--origin'],
    data: /^retryInitialMs +86400000 +\S*flag/,
    json: shape('ConfigView'),
  },
};
