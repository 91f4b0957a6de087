/** What initiators ask: each request becomes an event of its mailbox, or a look into it. */
import type { Gid, TransactionAnswer } from '../../client-sdk/protocol/index.ts';
import { limits } from '../../client-sdk/protocol/index.ts';
import type { TxEvent } from '../core/event.ts';
import type { Reply } from '../core/step.ts';
import type { Transaction } from '../core/transaction.ts';
import { type Admission, refusal } from './admission.ts';
import type { Calls } from './calls.ts';
import type { Answered, Coordinator, EngineSight, Refusal } from './coordinator.ts';
import { beginEvent, registerEvent, submitEvent } from './intake.ts';
import { type EngineOptions, engineLimits } from './limits.ts';
import type { EventTask, Mailbox, Post, Task } from './mailbox.ts';
import { openParticipantsOf } from './open-participants.ts';
import { operate } from './operate.ts';
import { createOperatorDesk } from './operator.ts';
import type { Registry } from './registry.ts';
import type { Tally } from './tally.ts';
import type { Timers } from './timers.ts';
import type { EngineTrace } from './trace.ts';
import { passTry } from './try.ts';
import { toAnswer, toView } from './view.ts';
import { type Held, holdUntil, type Want } from './waits.ts';

/** What requests need of the engine. */
export interface RequestPorts {
  readonly admission: Admission;
  readonly registry: Registry;
  readonly post: () => Post;
  readonly calls: Calls;
  readonly timers: Timers;
  readonly tally: Tally;
  readonly options: EngineOptions;
  readonly trace: EngineTrace | null;
  readonly stamp: () => Pick<TxEvent, 'atMs' | 'epoch'>;
}

/** When an answer may leave, and whether it names the branches that the request registered. */
interface Wish {
  readonly want: Want;
  readonly waitMs: number;
  readonly showsIds: boolean;
}

const showIds: Wish = { want: 'shown', waitMs: 0, showsIds: true };

/** One request that brings an event: it is taken by its mailbox, held back, and answered once. */
class Asked implements EventTask, Held {
  readonly kind = 'event';
  readonly event: TxEvent;
  readonly #ports: RequestPorts;
  readonly #mailbox: Mailbox;
  readonly #wish: Wish;
  readonly #answered: Answered<TransactionAnswer>;
  #reply: Reply = { kind: 'none' };

  constructor(
    ports: RequestPorts,
    mailbox: Mailbox,
    asked: {
      readonly event: TxEvent;
      readonly wish: Wish;
      readonly answered: Answered<TransactionAnswer>;
    },
  ) {
    this.#ports = ports;
    this.#mailbox = mailbox;
    this.event = asked.event;
    this.#wish = asked.wish;
    this.#answered = asked.answered;
  }

  again(): void {
    this.#ports.post().take(this.#mailbox, this);
  }

  replied(reply: Reply): void {
    this.#reply = reply;
    const { timers, tally } = this.#ports;
    // A refusal may show a decision (ALREADY_…), so it waits like any answer.
    if (reply.kind === 'refused') {
      return holdUntil(this.#mailbox, 'shown', { timers, waitMs: 0 }, this);
    }
    const { want, waitMs } = this.#wish;
    if (this.#mailbox.tx?.mode === 'saga' && want === 'completed') tally.awaited();
    holdUntil(this.#mailbox, want, { timers, waitMs }, this);
  }

  show(): void {
    const reply = this.#reply;
    if (reply.kind === 'refused') return this.#answered(refusal(reply.code, reply.detail));
    const { tx } = this.#mailbox;
    if (tx === null) return;
    const branchIds = this.#wish.showsIds && reply.kind === 'accepted' ? reply.branchIds : null;
    this.#answered({ ok: true, body: toAnswer(tx, branchIds) });
  }

  refuse(): void {
    this.#answered(refusalWhenGone(this.#mailbox));
  }
}

/** The request half of {@link Coordinator}. */
export function createRequests(
  ports: RequestPorts,
): Omit<Coordinator, keyof EngineSight | 'list' | 'matching' | 'reportWaits' | 'stats'> {
  const { admission, registry, calls, timers, options, trace, stamp } = ports;

  function enter(
    mailbox: Mailbox,
    event: TxEvent,
    wish: Wish,
    answered: Answered<TransactionAnswer>,
  ): void {
    new Asked(ports, mailbox, { event, wish, answered }).again();
  }

  /** Looks at a transaction in its turn. */
  function look<T>(
    gid: Gid,
    answered: Answered<T>,
    found: (mailbox: Mailbox, tx: Transaction, again: () => void) => void,
  ): void {
    const refused = admission.work(gid);
    if (refused !== null) return answered(refused);
    const mailbox = registry.existing(gid);
    const task: Task = {
      kind: 'read',
      failed: (code, detail) => answered(refusal(code, detail)),
      look: () => {
        if (mailbox.tx !== null) return found(mailbox, mailbox.tx, again);
        answered(refusal('NOT_FOUND', 'nothing was begun under this gid'));
      },
    };
    const again = () => ports.post().take(mailbox, task);
    again();
  }

  return {
    ...createOperatorDesk({ admission, calls, look }),
    openParticipants: () => openParticipantsOf(registry.mailboxes.values()),
    operate(request, answered) {
      const waitless = { want: 'shown', waitMs: 0, showsIds: false } as const;
      const ports = {
        ...{ calls, stamp, look },
        enter: (
          mailbox: Mailbox,
          event: TxEvent,
          heard: Answered<Pick<TransactionAnswer, 'phase'>>,
        ) => enter(mailbox, event, waitless, heard),
      };
      operate(ports, request, answered);
    },
    begin(request, answered) {
      const refused = admission.newWork(request.gid, request.branches ?? []);
      if (refused !== null) return answered(refused);
      const placed = trace === null ? request : trace.begun('transaction', request);
      const event = beginEvent(placed, options, stamp());
      enter(registry.fresh(request.gid), event, showIds, answered);
    },
    submit(request, answered) {
      const refused = admission.newWork(request.gid, request.steps);
      if (refused !== null) return answered(refused);
      const want = request.wait === 'submitted' ? 'shown' : 'completed';
      const waitMs = patienceMs(request.waitMs, engineLimits.submitWaitMs);
      const placed = trace === null ? request : trace.begun('saga', request);
      const event = submitEvent(placed, stamp());
      enter(registry.fresh(request.gid), event, { want, waitMs, showsIds: false }, answered);
    },
    register(request, answered) {
      const refused = admission.work(request.gid, request.branches);
      if (refused !== null) return answered(refused);
      enter(registry.existing(request.gid), registerEvent(request, stamp()), showIds, answered);
    },
    decide(request, answered) {
      const refused = admission.work(request.gid);
      if (refused !== null) return answered(refused);
      const { gid, direction, wait = 'completed' } = request;
      const reason = request.reason?.slice(0, limits.detailLengthMax) ?? null;
      const event: TxEvent = { kind: 'decide', direction, reason, ...stamp() };
      const waitMs = patienceMs(request.waitMs, engineLimits.decideWaitMs);
      enter(registry.existing(gid), event, { want: wait, waitMs, showsIds: false }, answered);
    },
    get(request, answered) {
      look(request.gid, answered, (mailbox, _, again) => {
        const waitMs = patienceMs(request.waitMs, engineLimits.decideWaitMs);
        const refuse = () => answered(refusalWhenGone(mailbox));
        const show = () => {
          if (mailbox.tx !== null) answered({ ok: true, body: toView(mailbox, mailbox.tx) });
        };
        const patience = { timers, waitMs };
        holdUntil(mailbox, request.wait ?? 'shown', patience, { show, again, refuse });
      });
    },
    tryBranch(request, answered) {
      look(request.gid, answered, (_, tx) => passTry(tx, request, { calls, trace }, answered));
    },
  };
}

function refusalWhenGone(mailbox: Mailbox): Refusal {
  if (mailbox.state === 'unreadable') return refusal('INTERNAL', mailbox.unreadableReason);
  return refusal('FENCED', 'another coordinator took over', 1_000);
}

function patienceMs(asked: number | undefined, otherwise: number): number {
  return Math.min(asked ?? otherwise, engineLimits.waitMsMax);
}
