/** The lookout over the real engine, in virtual time; the channel is a list that the test fills. */

import type { Explanation } from '../../client-sdk/protocol/index.ts';
import { createAudit } from '../../server/desk/audit.ts';
import { createDesk } from '../../server/desk/desk.ts';
import { createLookout, type Lookout } from '../../server/desk/lookout.ts';
import type { Connected } from '../../server/desk/participants.ts';
import type { Answer } from '../../server/engine/coordinator.ts';
import { type EngineOptions, engineDefaults } from '../../server/engine/limits.ts';
import { openMemoryLog } from '../../server/log/memory-log.ts';
import { createStage, type Stage } from '../engine/stage.ts';

/** Who looks, and at what. */
export interface Watching {
  readonly stage: Stage;
  readonly lookout: Lookout;
  readonly connected: Connected[];
  readonly drained: Set<string>;
  /** Virtual time moves meanwhile; a refusal is thrown. */
  wait<T>(work: Promise<Answer<T>>): Promise<T>;
  explained(gid: string): Promise<Explanation>;
  /** Actions of the audit, oldest first. */
  audited(): Promise<readonly string[]>;
}

/** A stage with a lookout. */
export async function watching(
  options: Partial<EngineOptions> = {},
  isReadOnly = false,
): Promise<Watching> {
  const stage = await createStage(options);
  const { engine, time, store } = stage;
  const { clock } = time;
  const log = openMemoryLog(store);
  const term = () => ({ node: 'node-1', epoch: engine.stats().epoch });
  const desk = createDesk({
    ...{ coordinator: engine, audit: createAudit({ clock, log, term }), isReadOnly },
    doctor: { examine: async () => ({ atMs: 0, findings: [] }) },
  });
  const connected: Connected[] = [];
  const drained = new Set<string>();
  const lookout = createLookout({
    ...{ clock, log, desk, coordinator: engine },
    channel: {
      participants: () => connected,
      drain: (service, isOn) => void (isOn ? drained.add(service) : drained.delete(service)),
      drained: () => [...drained],
      askEach: () => [],
    },
    callbacks: null,
    retry: { ...engineDefaults, ...options }.retry,
    node: { node: 'node-1', version: '1', startedAtMs: 1, address: () => 'http://node-1' },
    logUrl: 'memory:',
    config: { settings: [] },
  });
  async function wait<T>(work: Promise<Answer<T>>): Promise<T> {
    let isOver = false;
    const outcome = work.finally(() => {
      isOver = true;
    });
    outcome.catch(() => undefined);
    while (!isOver) await time.settle();
    const answer = await outcome;
    if (!answer.ok) throw new Error(`${answer.code}: ${answer.detail}`);
    return answer.body;
  }
  return {
    ...{ stage, lookout, connected, drained, wait },
    explained: (gid) => wait(lookout.explanation(gid)),
    async audited() {
      const { entries } = await wait(desk.audit({}));
      return entries.toReversed().map(({ action, stage: at }) => `${action} ${at}`);
    },
  };
}
