/**
 * One WebSocket, from opening to its end. It knows frames, silence and closing; it knows nothing of
 * requests, and it never comes back: `reconnect.ts` makes the next one. Guards: `closed` is reported
 * exactly once, and no message after it.
 */
import { type RawData, WebSocket } from 'ws';
import { closeCodes, limits, type ServerMessage } from '../protocol/index.ts';
import { frameWriter, parseFrame } from './frame.ts';

/** What a connection reports. Nothing is reported before `openConnection` has returned. */
export interface ConnectionEvents {
  /** The socket is open; the hello goes first. */
  opened(): void;
  message(message: ServerMessage): void;
  /** It is over. `reason` is for people, `code` the close code (1006 when there was none). */
  closed(code: number, reason: string): void;
}

/** A connection that was asked for. */
export interface Connection {
  /** Adds a message (JSON text) to the frame of this tick; ignored once the connection is over. */
  send(message: string): void;
  /** Sends what is collected, says goodbye, and cuts the line when nobody answers for a second. */
  close(): void;
}

/** Settings of a connection. */
export interface ConnectionOptions {
  /** `ws:` or `wss:` address of the channel. */
  readonly url: string;
  /** For coordinators that take tokens. */
  readonly token?: string | undefined;
  /** Nothing heard (no message, no ping) for this long: the line is taken for dead. */
  readonly silenceMsMax: number;
}

/** How long the other side may take to say goodbye. */
const goodbyeMsMax = 1_000;

/**
 * A view of a saga shows 256 results of 64 KiB twice; a frame may hold a few of them. This only
 * guards against a peer that is no coordinator.
 */
const frameBytesMax = 128 * limits.bodyBytesMax;

/** Opens a socket. Failing to do so is reported by `closed`, too. ws sets TCP_NODELAY by itself. */
export function openConnection(options: ConnectionOptions, events: ConnectionEvents): Connection {
  let failure = '';
  let goodbye: NodeJS.Timeout | undefined;
  const { token } = options;
  const socket = new WebSocket(options.url, {
    ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
    perMessageDeflate: false,
    handshakeTimeout: options.silenceMsMax,
    maxPayload: frameBytesMax,
  });
  const frames = frameWriter((frame) => socket.send(frame, ignoreSendError));
  const silence = silenceTimer(options.silenceMsMax, () => {
    failure = `nothing was heard for ${options.silenceMsMax} ms`;
    socket.terminate();
  });
  socket.on('open', () => {
    silence.start();
    events.opened();
  });
  socket.on('ping', silence.heard);
  socket.on('message', (data) => {
    silence.heard();
    const messages = parseFrame(textOf(data));
    if (messages === null) {
      failure = 'the coordinator sent something that is not a frame';
      socket.close(closeCodes.protocolError, 'not a frame');
      return;
    }
    for (const message of messages) events.message(message);
  });
  socket.on('error', (error) => {
    failure ||= error.message || ('code' in error ? String(error.code) : error.name);
  });
  socket.on('close', (code, reason) => {
    silence.stop();
    clearTimeout(goodbye);
    frames.drop();
    events.closed(code, failure || reason.toString() || `closed with code ${code}`);
  });

  return {
    send: (message) => {
      if (socket.readyState === WebSocket.OPEN) frames.write(message);
    },
    close() {
      if (socket.readyState === WebSocket.CLOSED) return;
      if (socket.readyState === WebSocket.OPEN) frames.flush();
      socket.close(1000);
      goodbye ??= setTimeout(() => socket.terminate(), goodbyeMsMax);
    },
  };
}

/** The 'close' event tells the same, and tells it for all that was under way. */
function ignoreSendError(): void {}

function textOf(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString();
  return data instanceof ArrayBuffer ? Buffer.from(data).toString() : data.toString();
}

/** Calls back once `heard` was not called for `msMax`. Re-armed when it fires: nothing per message. */
function silenceTimer(msMax: number, onSilence: () => void) {
  let heardAtMs = 0;
  let timer: NodeJS.Timeout | undefined;
  let look: NodeJS.Immediate | undefined;

  function check(): void {
    const leftMs = heardAtMs + msMax - performance.now();
    if (leftMs > 0) timer = setTimeout(check, Math.ceil(leftMs));
    // A process that stood still has not read what came meanwhile: timers come before sockets.
    else look = setImmediate(judge, heardAtMs);
  }
  function judge(beforeMs: number): void {
    if (heardAtMs === beforeMs) onSilence();
    else timer = setTimeout(check, msMax);
  }
  function heard(): void {
    heardAtMs = performance.now();
  }
  return {
    heard,
    start() {
      heard();
      timer = setTimeout(check, msMax);
    },
    stop() {
      clearTimeout(timer);
      clearImmediate(look);
    },
  };
}
