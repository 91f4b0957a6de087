/**
 * Writer of the Prometheus text exposition format, version 0.0.4, by hand: it is fifty lines, and a
 * client library would bring its own registry (a global). What is measured is decided by callers.
 */

/** One number with its labels. Label values must come from a bounded set. */
export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** One metric: names end in a unit (`_seconds`, `_bytes`) or in `_total` for counters. */
export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly samples: readonly Sample[];
}

/** Media type of {@link exposition}. */
export const expositionType = 'text/plain; version=0.0.4; charset=utf-8';

/** The text that a scraper reads: metrics in the given order, each with HELP and TYPE. */
export function exposition(metrics: readonly Metric[]): string {
  const lines: string[] = [];
  for (const metric of metrics) {
    lines.push(`# HELP ${metric.name} ${escaped(metric.help)}`);
    lines.push(`# TYPE ${metric.name} ${metric.type}`);
    for (const sample of metric.samples) {
      lines.push(`${metric.name}${labelsOf(sample)} ${sample.value}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

function labelsOf(sample: Sample): string {
  const pairs = Object.entries(sample.labels ?? {});
  if (pairs.length === 0) return '';
  const quoted = pairs.map(([name, value]) => `${name}="${escaped(value).replaceAll('"', '\\"')}"`);
  return `{${quoted.join(',')}}`;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}
