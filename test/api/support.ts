/** One app per test over the coordinator in memory, and small ways to ask it. */
import type { FastifyInstance, LightMyRequestResponse } from 'fastify';
import { createAccess, type TokenEntry } from '../../server/api/access.ts';
import { createApp } from '../../server/api/app.ts';
import { createValidators } from '../../server/api/schemas.ts';
import { createAudit } from '../../server/desk/audit.ts';
import { createDesk } from '../../server/desk/desk.ts';
import { createLookout } from '../../server/desk/lookout.ts';
import { openMemoryLog } from '../../server/log/memory-log.ts';
import { createLogger } from '../../server/observe/log.ts';
import { systemClock } from '../../server/runtime/clock.ts';
import { type MemoryCoordinator, memoryCoordinator } from './memory-coordinator.ts';

export interface Edge {
  readonly app: FastifyInstance;
  readonly coordinator: MemoryCoordinator;
  /** Lines that the app logged. */
  readonly logged: string[];
  post(url: string, body?: unknown): Promise<LightMyRequestResponse>;
  get(url: string, headers?: Readonly<Record<string, string>>): Promise<LightMyRequestResponse>;
}

const validators = createValidators();
const bank = {
  ...{ service: 'bank', instance: 'bank-1', methods: ['debit', 'credit'] },
  ...{ inFlight: 1, connectedAtMs: 1_700_000_000_000 },
};

/** Without tokens everybody is let in. */
export function createEdge(tokens: readonly TokenEntry[] = []): Edge {
  const coordinator = memoryCoordinator();
  const logged: string[] = [];
  let made = 0;
  const clock = systemClock();
  const log = openMemoryLog();
  // A log in memory has taken it over when the call returns; its first term is 1.
  void log.takeOver('n', '', 0);
  const desk = createDesk({
    coordinator,
    audit: createAudit({ clock, log, term: () => ({ node: 'n', epoch: 1 }) }),
    isReadOnly: false,
    doctor: { examine: async () => ({ atMs: 0, findings: [] }) },
  });
  const drained = new Set<string>();
  const lookout = createLookout({
    ...{ clock, log, desk, coordinator },
    channel: {
      participants: () => [bank],
      drain: (service, isDrained) =>
        void (isDrained ? drained.add(service) : drained.delete(service)),
      drained: () => [...drained],
      askEach: (_service, _call, _timeoutMs, answered) => {
        setImmediate(() => answered('bank-1', { outcome: 'done', result: { version: '9' } }));
        return ['bank-1'];
      },
    },
    callbacks: null,
    retry: { initialMs: 100, capMs: 30_000 },
    node: { node: 'n', version: '0', startedAtMs: 1, address: () => 'http://n' },
    logUrl: 'memory:',
    config: { settings: [{ name: 'port', value: 7400, origin: 'default' }] },
  });
  const app = createApp({
    coordinator,
    desk,
    lookout,
    validators,
    access: createAccess(tokens, clock),
    isReadOnly: false,
    connectedServices: () => [{ service: 'bank', instances: 2 }],
    callsQueued: () => ({ channel: 3, http: 4 }),
    newGid: () => {
      made += 1;
      return `made-${made}`;
    },
    logger: createLogger('trace', { write: (line) => void logged.push(line) }),
  });
  return {
    app,
    coordinator,
    logged,
    post: (url, body) =>
      app.inject({
        method: 'POST',
        url,
        ...(body === undefined
          ? {}
          : {
              payload: typeof body === 'string' ? body : JSON.stringify(body),
              headers: { 'content-type': 'application/json' },
            }),
      }),
    get: (url, headers = {}) => app.inject({ method: 'GET', url, headers }),
  };
}
