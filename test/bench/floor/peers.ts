/**
 * The connections of the floor's coordinator by the service they belong to, and the calls that are
 * under way on them. The id of a call is its place in an array, given again once it is answered.
 */
import type { WriteMessage } from './frames.ts';

/** One connection. */
export interface Peer {
  readonly write: WriteMessage;
}

/** Takes the result of a call, as the participant gave it. */
export type Answered<Owner> = (owner: Owner, branch: number, result: unknown) => void;

/** The calls to participants. */
export interface Calls<Owner> {
  /** The peer takes calls of this service. */
  join(service: string, peer: Peer): void;
  leave(peer: Peer): void;
  /** Sends a call, given as JSON text, to the next peer of the service. `branch` comes back. */
  call(service: string, text: string, owner: Owner, branch: number): void;
  /** A peer has answered. */
  answered(id: number, result: unknown): void;
}

interface Asked<Owner> {
  owner: Owner | null;
  branch: number;
}

/** No peers, no calls. `take` gets every answer. */
export function createCalls<Owner>(take: Answered<Owner>): Calls<Owner> {
  const services = new Map<string, Peer[]>();
  const asked: Asked<Owner>[] = [];
  const free: number[] = [];
  let turn = 0;
  return {
    join(service, peer) {
      const peers = services.get(service);
      if (peers === undefined) services.set(service, [peer]);
      else if (!peers.includes(peer)) peers.push(peer);
    },
    leave(peer) {
      for (const peers of services.values()) {
        const at = peers.indexOf(peer);
        if (at >= 0) peers.splice(at, 1);
      }
    },
    call(service, text, owner, branch) {
      const peers = services.get(service) ?? [];
      turn = turn + 1 >= peers.length ? 0 : turn + 1;
      const peer = peers[turn];
      if (peer === undefined) throw new Error(`nobody serves ${service}`);
      const id = free.pop() ?? asked.push({ owner: null, branch: 0 }) - 1;
      const place = asked[id] as Asked<Owner>;
      place.owner = owner;
      place.branch = branch;
      peer.write(`{"kind":"call","id":${id},"call":${text}}`);
    },
    answered(id, result) {
      const place = asked[id];
      if (place === undefined || place.owner === null) throw new Error(`no call has id ${id}`);
      const { owner, branch } = place;
      place.owner = null;
      free.push(id);
      take(owner, branch, result);
    },
  };
}
