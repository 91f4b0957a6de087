/**
 * A worker of the floor: initiator, participant or both, in one process over one connection. It
 * speaks with whoever measures as the product's workers do, and sends what the SDK sends, without
 * the SDK.
 */
import { WebSocket } from 'ws';
import { channelVersion, type ServerMessage } from '../../../client-sdk/protocol/index.ts';
import type { FromWorker, ToWorker, WorkerSettings } from '../messages.ts';
import { frameWriter, readFrames } from './frames.ts';
import { createInitiator } from './initiator.ts';
import { createLoad } from './load.ts';
import { answerCall, bankMethods, bankService } from './participant.ts';

const settings = JSON.parse(process.argv[2] ?? '{}') as WorkerSettings;
const unsupported = whyNot(settings);
if (unsupported === null) serve();
else {
  process.stderr.write(`${unsupported}\n`);
  process.exitCode = 2;
  process.disconnect?.();
}

/** What the floor leaves to the product. */
function whyNot({ databaseUrl, participantUrls, rollbackPercent }: WorkerSettings): string | null {
  if (databaseUrl !== null) return 'the floor has no barrier: leave out databaseUrl';
  if (participantUrls !== null)
    return 'the floor calls nobody over HTTP: leave out participantUrls';
  if (rollbackPercent > 0) return 'the floor only commits: set rollbackPercent to 0';
  return null;
}

function serve(): void {
  const { url, role } = settings;
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/channel`, {
    perMessageDeflate: false,
    skipUTF8Validation: true,
  });
  const write = frameWriter(socket);
  const initiator = createInitiator(settings, write, (place) => load.ended(place));
  const load = createLoad(settings, initiator.start);

  readFrames<ServerMessage>(socket, (message) => {
    switch (message.kind) {
      case 'reply':
        return initiator.reply(message.id);
      case 'call':
        return answerCall(write, message.id);
      case 'welcome':
        return tell({ kind: 'ready', url: null });
      case 'problem':
        throw new Error(message.problem.detail);
    }
  });
  socket.on('open', () => {
    const takes = role !== 'initiator';
    const service = takes ? bankService : 'teller';
    const methods = takes ? bankMethods : [];
    const hello = {
      ...{ kind: 'hello', version: channelVersion, service, instance: `floor-${process.pid}` },
      ...{ methods, callsMax: takes ? 65_536 : 0 },
    };
    write(JSON.stringify(hello));
  });
  process.on('message', (message: ToWorker) => {
    if (message.kind === 'stop') process.exit(0);
    load.run(message.seconds, (report) => tell({ kind: 'round', report }));
  });
  // Whoever measures is gone.
  process.on('disconnect', () => process.exit(0));
}

function tell(message: FromWorker): void {
  process.send?.(message);
}
