/** Services as operators see them: who is connected, what is owed, who is drained. Pure. */
import type {
  Call,
  CallAnswer,
  EpochMs,
  InstanceView,
  ParticipantView,
} from '../../client-sdk/protocol/index.ts';
import type { Owed } from '../engine/coordinator.ts';

/** One connection, as the channel shows it. */
export interface Connected {
  readonly service: string;
  readonly instance: string;
  readonly methods: readonly string[];
  readonly inFlight: number;
  readonly connectedAtMs: EpochMs;
}

/** What the desk asks of the channel. */
export interface Channel {
  participants(): readonly Connected[];
  drain(service: string, isDrained: boolean): void;
  drained(): readonly string[];
  /** Asks each connection of a service; gives the instances. `answered` once for each, later. */
  askEach(
    service: string,
    call: Call,
    timeoutMs: number,
    answered: (instance: string, answer: CallAnswer) => void,
  ): readonly string[];
}

/** By name: all that are connected, owe something, or are drained. */
export function participantViews(
  connected: readonly Connected[],
  owed: readonly Owed[],
  drained: readonly string[],
): readonly ParticipantView[] {
  const instances = Map.groupBy(connected, ({ service }) => service);
  const debts = new Map(owed.map((one) => [one.service, one]));
  const names = new Set([...instances.keys(), ...debts.keys(), ...drained]);
  return [...names].sort().map((service) => {
    const debt = debts.get(service);
    return {
      service,
      instances: (instances.get(service) ?? []).map(instanceView),
      owed: debt?.owed ?? 0,
      oldestOwedAtMs: debt?.oldestAtMs ?? null,
      lastError: debt?.lastError ?? null,
      isDrained: drained.includes(service),
    };
  });
}

function instanceView({ instance, methods, inFlight, connectedAtMs }: Connected): InstanceView {
  return { instance, methods: methods.toSorted(), callsInFlight: inFlight, connectedAtMs };
}
