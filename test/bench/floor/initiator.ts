/**
 * The requests of an initiator over one connection: for each of its places one transaction at a
 * time. What the SDK sends when nothing goes wrong. The id of a request names the place it is for.
 */
import { newGid } from '../../../client-sdk/gid.ts';
import type { WorkerSettings } from '../messages.ts';
import type { WriteMessage } from './frames.ts';
import { methodOf, participantText } from './participant.ts';

/** Runs transactions on places 0, 1, 2 … */
export interface Initiator {
  /** The place must be free. */
  start(place: number): void;
  /** A reply has come. */
  reply(id: number): void;
}

/** `ended` hears of each transaction that has come to its end. */
export function createInitiator(
  settings: WorkerSettings,
  write: WriteMessage,
  ended: (place: number) => void,
): Initiator {
  const { mode, branches, wait, role } = settings;
  const parts = partsOf(settings);
  const gids: string[] = Array(settings.inflight).fill('');
  /** -1: the decision (or the saga) is under way; 0: the begin; more: so many tries are. */
  const stages = new Int32Array(settings.inflight);
  // A place asks for all its tries at once, so each of its requests has a number of its own.
  const idsPerPlace = branches + 1;

  function decide(place: number): void {
    stages[place] = -1;
    write(
      `{"kind":"request","id":${place * idsPerPlace},"verb":"decide","body":{"gid":"${gids[place]}","direction":"commit","wait":"${wait}","waitMs":2000}}`,
    );
  }

  function tryAll(place: number): void {
    if (mode === 'empty') return decide(place);
    if (role === 'both') {
      for (let branchId = 1; branchId <= branches; branchId += 1) tryHere();
      return decide(place);
    }
    stages[place] = branches;
    for (let branchId = 1; branchId <= branches; branchId += 1) {
      write(
        `{"kind":"request","id":${place * idsPerPlace + branchId},"verb":"try","body":{"gid":"${gids[place]}","branchId":${branchId}}}`,
      );
    }
  }

  return {
    start(place) {
      const gid = newGid();
      const id = place * idsPerPlace;
      gids[place] = gid;
      if (mode === 'saga') {
        stages[place] = -1;
        write(`{"kind":"request","id":${id},"verb":"submit","body":{"gid":"${gid}",${parts}}}`);
      } else {
        stages[place] = 0;
        write(`{"kind":"request","id":${id},"verb":"begin","body":{"gid":"${gid}",${parts}}}`);
      }
    },
    reply(id) {
      const place = Math.trunc(id / idsPerPlace);
      const stage = stages[place] ?? 0;
      if (stage < 0) ended(place);
      else if (stage === 0) tryAll(place);
      else if (stage === 1) decide(place);
      else stages[place] = stage - 1;
    },
  };
}

/** The try of a participant that has nothing to do. */
function tryHere(): void {}

/** What all beginnings of a round have in common, after the gid. */
function partsOf({ mode, branches, wait }: WorkerSettings): string {
  const participants = Array.from({ length: branches }, (_, index) =>
    participantText(index + 1, branches),
  );
  if (mode === 'saga') {
    const steps = participants.map((participant, index) => {
      const name = `${methodOf(index + 1, branches)}${index + 1}`;
      return `{"name":"${name}","participant":${participant}}`;
    });
    const patience = wait === 'completed' ? ',"waitMs":30000' : '';
    return `"name":"transfer","input":${entry},"steps":[${steps.join(',')}],"wait":"${wait}"${patience}`;
  }
  const specs = mode === 'empty' ? [] : participants;
  const branchTexts = specs.map((participant) => {
    return `{"participant":${participant},"payload":${entry}}`;
  });
  return `"name":"transfer","timeoutMs":30000,"branches":[${branchTexts.join(',')}]`;
}

/** Payload of every branch, input of every saga. */
const entry = '{"account":"a17","cents":100}';
