/**
 * The plot of docs/performance.md: bars for the rates of the product and of the floor, and for
 * latencies. An SVG that needs nothing, readable on light and dark pages. Pure.
 */
import type { Outcome } from './outcome.ts';
import { grouped } from './row.ts';

/** A pair of bars; null: there is nothing to compare with. */
interface Bars {
  readonly label: string;
  readonly product: number;
  readonly floor: number | null;
}

const width = 640;
const labelWidth = 130;
const barHeight = 11;
const pairHeight = 34;
const valueWidth = 90;

/** What was measured; rows that were not are left out. */
export function plot(outcomes: readonly Outcome[]): string {
  const isLatency = ({ row }: Outcome): boolean => row.name.startsWith('latency-');
  const isRate = ({ row }: Outcome): boolean => row.shown.includes('ratioToFloor');
  const rates = barsOf(outcomes.filter(isRate), ['txPerSecond', 'floorTxPerSecond']);
  const latencies = outcomes
    .filter(isLatency)
    .flatMap((outcome) => [
      ...barsOf([outcome], ['p50Ms', 'floorP50Ms'], ', p50'),
      ...barsOf([outcome], ['p99Ms', 'floorP99Ms'], ', p99'),
    ]);
  const [first, firstEnd] = chart('transactions per second', rates, 44);
  const [second, end] = chart('milliseconds, TCC on PostgreSQL', latencies, firstEnd + 34);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${end + 10}" role="img"
  aria-label="Rates and latencies of Settle and of the floor">
<style>
  text { font: 12px system-ui, sans-serif; fill: #444 }
  .title { font-weight: 600 }
  .product { fill: #2563eb }
  .floor { fill: #9ca3af }
  @media (prefers-color-scheme: dark) { text { fill: #ccc } }
</style>
${legend()}
${[...first, ...second].join('\n')}
</svg>
`;
}

function legend(): string {
  return [
    `<rect class="product" x="${labelWidth}" y="8" width="11" height="11"/>`,
    `<text x="${labelWidth + 16}" y="18">Settle</text>`,
    `<rect class="floor" x="${labelWidth + 76}" y="8" width="11" height="11"/>`,
    `<text x="${labelWidth + 92}" y="18">the floor: the same flow, the bare minimum</text>`,
  ].join('\n');
}

function barsOf(
  outcomes: readonly Outcome[],
  [own, other]: readonly [string, string],
  suffix = '',
): readonly Bars[] {
  return outcomes.flatMap(({ row, found }) => {
    if ('error' in found) return [];
    const product = found.measured[own];
    if (product === undefined || product === null || found.measured[other] === undefined) return [];
    return [{ label: `${row.name}${suffix}`, product, floor: found.measured[other] ?? null }];
  });
}

function chart(
  title: string,
  bars: readonly Bars[],
  top: number,
): readonly [lines: readonly string[], endY: number] {
  const most = Math.max(1e-9, ...bars.flatMap(({ product, floor }) => [product, floor ?? 0]));
  const scale = (width - labelWidth - valueWidth) / most;
  const lines = bars.flatMap(({ label, product, floor }, index) => {
    const y = top + 10 + index * pairHeight;
    return [
      `<text x="${labelWidth - 10}" y="${y + 15}" text-anchor="end">${escaped(label)}</text>`,
      bar('product', y, product, scale),
      ...(floor === null ? [] : [bar('floor', y + barHeight + 2, floor, scale)]),
    ];
  });
  const head = `<text class="title" x="${labelWidth}" y="${top}">${title}</text>`;
  return [[head, ...lines], top + 10 + bars.length * pairHeight];
}

function bar(kind: 'product' | 'floor', y: number, value: number, scale: number): string {
  const long = Math.max(1, value * scale);
  return (
    `<rect class="${kind}" x="${labelWidth}" y="${y}" width="${long.toFixed(1)}" ` +
    `height="${barHeight}"/><text x="${(labelWidth + long + 6).toFixed(1)}" y="${y + 10}">` +
    `${grouped(value)}</text>`
  );
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
