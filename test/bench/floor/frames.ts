/**
 * Frames of the channel, both ways: a JSON array of at most 64 messages, sent at the end of the tick.
 * The same on the wire as client-sdk/channel/frame.ts and server/api/frame-batcher.ts; what they
 * check is not checked here.
 */
import type { WebSocket } from 'ws';
import { limits } from '../../../client-sdk/protocol/index.ts';

/** Adds one message (JSON text) to the frame of this tick. */
export type WriteMessage = (message: string) => void;

/** The way out of a socket. */
export function frameWriter(socket: WebSocket): WriteMessage {
  let frame = '';
  let count = 0;
  let isScheduled = false;

  function flush(): void {
    const text = `${frame}]`;
    frame = '';
    count = 0;
    socket.send(text);
  }

  function endOfTick(): void {
    isScheduled = false;
    if (count > 0) flush();
  }

  return (message) => {
    frame += count === 0 ? `[${message}` : `,${message}`;
    count += 1;
    if (count === limits.frameMessagesMax) flush();
    else if (!isScheduled) {
      isScheduled = true;
      setImmediate(endOfTick);
    }
  };
}

/** Hands the messages that come in to `take`. The peer is trusted with their shape. */
export function readFrames<Message>(socket: WebSocket, take: (message: Message) => void): void {
  socket.on('message', (bytes: Buffer) => {
    const messages = JSON.parse(bytes.toString()) as readonly Message[];
    for (const message of messages) take(message);
  });
}
