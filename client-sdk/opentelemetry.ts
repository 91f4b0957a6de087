/**
 * Spans for OpenTelemetry: the adapter from the port `Tracer` to `@opentelemetry/api`, an optional peer
 * that only who imports this module needs. Which spans there are is decided elsewhere; exporters and
 * sampling are the user's own, as for the rest of his process.
 */
import {
  type Context,
  context,
  isSpanContextValid,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TracerProvider,
  trace,
} from '@opentelemetry/api';
import {
  isTraceparent,
  type SpanEnd,
  type SpanStart,
  type Traceparent,
  type Tracer,
  type TraceSpan,
} from './protocol/index.ts';

/** Where the spans go. */
export interface OpenTelemetryOptions {
  /** Default: the one that is registered for the process, now or later. */
  readonly tracerProvider?: TracerProvider;
}

const kinds = {
  internal: SpanKind.INTERNAL,
  client: SpanKind.CLIENT,
  server: SpanKind.SERVER,
} as const satisfies Record<SpanStart['kind'], SpanKind>;

/**
 * A tracer for `connect({ tracer })` and `participantRoutes`. It records nothing while the process
 * has no provider. For spans to find their parents inside of a process, a context manager must be
 * registered, as the SDKs for Node do it.
 *
 * ```ts
 * const settle = await connect({ url, service: 'bank', tracer: openTelemetryTracer() });
 * ```
 */
export function openTelemetryTracer(options: OpenTelemetryOptions = {}): Tracer {
  const tracer = (options.tracerProvider ?? trace).getTracer('@settle/client');
  return {
    start(name, { kind, parent, attributes, startedAtMs }) {
      const within = contextOf(parent);
      const more = startedAtMs === undefined ? {} : { startTime: startedAtMs };
      const span = tracer.startSpan(name, { kind: kinds[kind], attributes, ...more }, within);
      return new OpenTelemetrySpan(span, within);
    },
    active: () => traceparentOf(trace.getActiveSpan()),
    outside: (work) => context.with(ROOT_CONTEXT, work),
  };
}

class OpenTelemetrySpan implements TraceSpan {
  readonly #span: Span;
  readonly #within: Context;

  constructor(span: Span, within: Context) {
    this.#span = span;
    this.#within = within;
  }

  get traceparent(): Traceparent | undefined {
    return traceparentOf(this.#span);
  }

  run<T>(work: () => T): T {
    return context.with(trace.setSpan(this.#within, this.#span), work);
  }

  end({ error, attributes, endedAtMs }: SpanEnd = {}): void {
    if (attributes !== undefined) this.#span.setAttributes(attributes);
    if (error !== undefined) {
      this.#span.setAttribute('error.type', error);
      this.#span.setStatus({ code: SpanStatusCode.ERROR, message: error });
    }
    this.#span.end(endedAtMs);
  }
}

/** What is elsewhere becomes a remote parent; sampled or not, as its flags say. */
function contextOf(parent: SpanStart['parent']): Context {
  const active = context.active();
  if (parent === 'active') return active;
  // What came over the wire: one that is none begins a trace of its own.
  if (!isTraceparent(parent)) return trace.deleteSpan(active);
  const [, traceId = '', spanId = '', flags = ''] = parent.split('-');
  const traceFlags = Number.parseInt(flags, 16);
  return trace.setSpanContext(active, { traceId, spanId, traceFlags, isRemote: true });
}

function traceparentOf(span: Span | undefined): Traceparent | undefined {
  const own = span?.spanContext();
  if (own === undefined || !isSpanContextValid(own)) return undefined;
  const flags = (own.traceFlags & 0xff).toString(16).padStart(2, '0');
  return `00-${own.traceId}-${own.spanId}-${flags}`;
}
