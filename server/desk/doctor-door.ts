/** Who gets in, and which addresses the coordinator may call: what `doctor` says about both. */
import type { EpochMs, Finding } from '../../client-sdk/protocol/index.ts';
import type { Coordinator } from '../engine/coordinator.ts';
import type { Clock } from '../runtime/clock.ts';
import { inOrder } from '../runtime/finding.ts';
import { isLoopback } from '../runtime/loopback.ts';

/** How the coordinator listens, and what it may call. */
export interface Door {
  readonly host: string;
  readonly needsTokens: boolean;
  /** Origins that HTTP participants may have. */
  readonly allowCallbacks: readonly string[];
}

/** What looking at addresses needs. */
export interface CallbackPorts {
  readonly clock: Clock;
  readonly door: Door;
  readonly coordinator: Pick<Coordinator, 'openParticipants'>;
  /** When the certificate of an https origin ends. Throws when nobody shows one. */
  readonly certificateEnd: (origin: string) => Promise<EpochMs>;
}

/** Whether strangers get in. */
export function doorFindings({ host, needsTokens }: Door): readonly Finding[] {
  if (needsTokens) return [inOrder('access.open', 'Nobody gets in without a token.'), ...tls(host)];
  if (isLoopback(host)) {
    return [
      inOrder('access.open', `Without tokens, for ${host} is reached from this machine only.`),
    ];
  }
  return [
    {
      check: 'access.open',
      level: 'problem',
      seen: `Whoever reaches ${host} may decide transactions and read payloads: no token is needed.`,
      remedy:
        'Make tokens with `settle token NAME --role ROLE` and start with --tokens FILE, or listen ' +
        'on loopback behind a proxy that asks who it is.',
    },
  ];
}

function tls(host: string): readonly Finding[] {
  if (isLoopback(host)) return [];
  return [
    {
      check: 'access.tls',
      level: 'note',
      seen: `${host} is served without TLS, so tokens can be read on the way to it.`,
      remedy: 'Let a proxy end TLS in front, on the same machine or in a network that you trust.',
    },
  ];
}

/** More are not asked for their certificates. */
const certificatesMax = 64;

/** Whether what is open can be called, and whether who is called can be trusted. */
export async function callbackFindings(ports: CallbackPorts): Promise<readonly Finding[]> {
  const { allowCallbacks } = ports.door;
  const closed = closedFindings(ports);
  const plain = allowCallbacks.filter((origin) => {
    const url = URL.parse(origin);
    return url?.protocol === 'http:' && !isLoopback(url.hostname);
  });
  const secure = allowCallbacks.filter((origin) => origin.startsWith('https:'));
  const certificates = secure.slice(0, certificatesMax).map((origin) => endFinding(ports, origin));
  return [...closed, ...plainFindings(plain), ...(await Promise.all(certificates))];
}

function closedFindings({ door, coordinator }: CallbackPorts): readonly Finding[] {
  const check = 'callbacks.closed';
  const allowed = new Set(door.allowCallbacks);
  const waiting = new Map<string, number>();
  for (const { participant, transactions } of coordinator.openParticipants()) {
    if (!('url' in participant)) continue;
    const origin = URL.parse(participant.url)?.origin ?? participant.url;
    if (!allowed.has(origin)) waiting.set(origin, (waiting.get(origin) ?? 0) + transactions);
  }
  if (waiting.size === 0) {
    const count = allowed.size === 0 ? 'none is allowed' : `${allowed.size} origins are allowed`;
    return [inOrder(check, `Every open HTTP participant may be called; ${count}.`)];
  }
  return [...waiting].map(([origin, transactions]) => ({
    check,
    level: 'problem',
    seen:
      `Open transactions wait for ${origin} (${transactions} times), which may not be called: ` +
      `${allowed.size === 0 ? 'the allow-list is empty' : 'it is not in the allow-list'}.`,
    remedy: `Start the coordinator with --allow-callback ${origin}, if that address is yours.`,
  }));
}

function plainFindings(origins: readonly string[]): readonly Finding[] {
  if (origins.length === 0) return [];
  return [
    {
      check: 'callbacks.plain',
      level: 'note',
      seen: `Called without TLS over the network: ${origins.join(', ')}.`,
      remedy:
        'Give them https and change --allow-callback; payloads can be read and answers forged on ' +
        'the way, unless the network is the guard.',
    },
  ];
}

const dayMs = 86_400_000;
const urgentDays = 7;
const soonDays = 30;

async function endFinding(ports: CallbackPorts, origin: string): Promise<Finding> {
  try {
    return certificateFinding(origin, await ports.certificateEnd(origin), ports.clock.nowMs());
  } catch (error) {
    return {
      check: 'callbacks.certificate',
      level: 'note',
      seen: `${origin} shows no certificate now: ${error instanceof Error ? error.message : error}`,
      remedy: 'See whether it runs; its transactions wait meanwhile.',
    };
  }
}

/** What is to be said of a certificate that ends then. */
export function certificateFinding(origin: string, endMs: EpochMs, nowMs: EpochMs): Finding {
  const check = 'callbacks.certificate';
  const days = Math.floor((endMs - nowMs) / dayMs);
  const end = new Date(endMs).toISOString().slice(0, 10);
  if (days >= soonDays) return inOrder(check, `The certificate of ${origin} is good until ${end}.`);
  const isOver = endMs <= nowMs;
  return {
    check,
    level: days < urgentDays ? 'problem' : 'note',
    seen: isOver
      ? `The certificate of ${origin} has ended on ${end}.`
      : `The certificate of ${origin} ends on ${end}, in ${days} days.`,
    remedy: 'Renew it; without one every call there fails, and its transactions stay open.',
  };
}
