/**
 * Writer of the Prometheus text exposition format, version 0.0.4, by hand: it is a hundred lines, and a
 * client library would bring its own registry (a global). What is measured is decided by callers.
 */

import type { HistogramCounts } from '../runtime/histogram.ts';

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

/** Counts in buckets, for each set of labels. */
export interface HistogramMetric {
  readonly name: string;
  readonly help: string;
  readonly type: 'histogram';
  readonly samples: readonly HistogramSample[];
}

/** One histogram with its labels. */
export interface HistogramSample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: HistogramCounts;
  /** What a value is divided by, to be in the unit of the name; 1,000 for seconds. */
  readonly divisor: number;
}

/** Media type of {@link exposition}. */
export const expositionType = 'text/plain; version=0.0.4; charset=utf-8';

/** The text that a scraper reads: metrics in the given order, each with HELP and TYPE. */
export function exposition(metrics: readonly (Metric | HistogramMetric)[]): string {
  const lines: string[] = [];
  for (const metric of metrics) {
    lines.push(`# HELP ${metric.name} ${escaped(metric.help)}`);
    lines.push(`# TYPE ${metric.name} ${metric.type}`);
    if (metric.type === 'histogram') {
      for (const sample of metric.samples) lines.push(...histogramLines(metric.name, sample));
      continue;
    }
    for (const sample of metric.samples) {
      lines.push(`${metric.name}${labelsOf(sample)} ${sample.value}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** Buckets are summed up from the smallest on; the last one, `+Inf`, is the count of all. */
function histogramLines(name: string, { labels = {}, value, divisor }: HistogramSample): string[] {
  let total = 0;
  const lines = value.counts.map((count, at) => {
    total += count;
    const bound = value.bounds[at];
    const le = bound === undefined ? '+Inf' : String(bound / divisor);
    return `${name}_bucket${labelsOf({ labels: { ...labels, le } })} ${total}`;
  });
  const own = labelsOf({ labels });
  return [...lines, `${name}_sum${own} ${value.sum / divisor}`, `${name}_count${own} ${total}`];
}

function labelsOf(sample: Pick<Sample, 'labels'>): string {
  const pairs = Object.entries(sample.labels ?? {});
  if (pairs.length === 0) return '';
  const quoted = pairs.map(([name, value]) => `${name}="${escaped(value).replaceAll('"', '\\"')}"`);
  return `{${quoted.join(',')}}`;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}
