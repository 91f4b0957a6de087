/**
 * The transfers: what each is told to do, drawn from a seeded stream. Pure. About one in five is to
 * be rolled back, and one in twenty is abandoned by its initiator.
 */
import type { Random } from '../../../server/runtime/random.ts';
import { accountName, accountsPerShard, type Shard, shards } from './cast.ts';
import type { WalletStory } from './wallet-transfers.ts';

/**
 * - `pay`: should succeed, unless a fault or want of money is in the way;
 * - `closed`: the receiving account refuses;
 * - `regret`: the initiator throws after all tries;
 * - `abandoned`: the initiator begins, tries, and goes away without a decision.
 */
export type Story = 'pay' | 'closed' | 'regret' | 'abandoned';

/** One transfer of `cents` between two shards; a saga pays `feeCents` to the third besides. */
export interface Transfer {
  readonly gid: string;
  readonly mode: 'transaction' | 'saga';
  readonly story: Story;
  readonly from: string;
  readonly to: string;
  readonly fees: string;
  readonly cents: number;
  readonly feeCents: number;
}

const centsMax = 500;

export function drawTransfer(gid: string, random: Random): Transfer {
  const [source, target, third] = drawOrder(random);
  const story = drawStory(random.next());
  const mode = random.next() < 0.5 || !mayBeSaga(story) ? 'transaction' : 'saga';
  const last = accountsPerShard - 1;
  const between = (): number => 1 + Math.floor(random.next() * (accountsPerShard - 2));
  const cents = 1 + Math.floor(random.next() * centsMax);
  return {
    gid,
    mode,
    story,
    from: accountName(source, between()),
    to: accountName(target, story === 'closed' ? last : between()),
    fees: accountName(third, 0),
    cents,
    feeCents: mode === 'saga' ? 1 + Math.floor(cents / 100) : 0,
  };
}

/** Nobody ever asks for the commit of these; whatever happens, they must not commit. */
export function isDoomed(story: Story | WalletStory): boolean {
  return story !== 'pay';
}

function mayBeSaga(story: Story): boolean {
  return story === 'pay' || story === 'closed';
}

function drawStory(number: number): Story {
  if (number < 0.05) return 'abandoned';
  if (number < 0.17) return 'closed';
  return number < 0.25 ? 'regret' : 'pay';
}

function drawOrder(random: Random): readonly [Shard, Shard, Shard] {
  const first = Math.floor(random.next() * shards.length);
  const step = random.next() < 0.5 ? 1 : 2;
  const at = (offset: number): Shard => shards[(first + offset) % shards.length] ?? 'a';
  return [at(0), at(step), at(2 * step)];
}
