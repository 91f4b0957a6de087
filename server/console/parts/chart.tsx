/**
 * Charts as plain SVG: means of five seconds each over five minutes, stacked. The window never grows
 * or shrinks, so that a bar keeps its place and its meaning. Whoever cannot see them gets the same
 * figures in words. Colours come from the style sheet, and differ in lightness, not in hue alone.
 */
import { useState } from 'preact/hooks';
import { clock, count } from '../wording.ts';

/** One layer of the stack. */
export interface Layer {
  readonly name: string;
  /** Class of the style sheet that gives its colour. */
  readonly class: string;
  /** For each second of the chart. */
  readonly values: readonly number[];
}

const barMs = 5_000;
const bars = 60;
const minutes = (bars * barMs) / 60_000;
const height = 100;

interface Bar {
  readonly startMs: number;
  /** Mean of each layer in a second; all are 0 where nothing is known. */
  readonly rates: readonly number[];
}

/** Layers over the same seconds, the first at the bottom. */
export function StackedChart(props: {
  readonly label: string;
  readonly atMs: readonly number[];
  readonly layers: readonly Layer[];
}) {
  const { atMs, layers, label } = props;
  const [pointed, setPointed] = useState<number | null>(null);
  const shown = barsOf(atMs, layers);
  const top = niceTop(Math.max(1, ...shown.map(({ rates }) => sumOf(rates))));
  const point = (event: PointerEvent & { readonly currentTarget: SVGSVGElement }) => {
    const box = event.currentTarget.getBoundingClientRect();
    const index = Math.floor(((event.clientX - box.left) / box.width) * bars);
    setPointed(index >= 0 && index < bars ? index : null);
  };
  const told = shown[pointed ?? bars - 1];
  return (
    <figure class="chart">
      <figcaption>
        <span class="mono when">{told === undefined ? '' : clock(told.startMs)}</span>
        {layers.map((layer, at) => (
          <span key={layer.name} class="key">
            <i class={layer.class} />
            {layer.name} <b class="mono">{rateText(told?.rates[at] ?? 0)}</b>
          </span>
        ))}
      </figcaption>
      <div class="axis" aria-hidden="true">
        <span>{count(top)}</span>
        <span>{count(top / 2)}</span>
        <span>0</span>
      </div>
      <svg
        viewBox={`0 0 ${bars} ${height}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${label}: ${inWords(layers)}`}
        onPointerMove={point}
        onPointerLeave={() => setPointed(null)}
      >
        {[0, height / 2, height].map((y) => (
          <line key={y} class="grid" x1={0} x2={bars} y1={y} y2={y} />
        ))}
        {pointed === null ? null : (
          <rect class="pointer" x={pointed} y={0} width={1} height={height} />
        )}
        {layers.map((layer, at) => (
          <path key={layer.name} class={`area ${layer.class}`} d={pathOf(shown, at, top)} />
        ))}
      </svg>
      <div class="ends" aria-hidden="true">
        {Array.from({ length: minutes }, (_, at) => (
          <span key={at}>−{minutes - at} min</span>
        ))}
        <span>now</span>
      </div>
    </figure>
  );
}

/** Bars begin at whole multiples of their length, so that they pass by and never change. */
function barsOf(atMs: readonly number[], layers: readonly Layer[]): readonly Bar[] {
  const last = Math.floor((atMs.at(-1) ?? 0) / barMs);
  const sums = Array.from({ length: bars }, () => layers.map(() => 0));
  const seconds = new Array<number>(bars).fill(0);
  atMs.forEach((at, index) => {
    const bar = bars - 1 - (last - Math.floor(at / barMs));
    const sum = sums[bar];
    if (sum === undefined) return;
    seconds[bar] = (seconds[bar] ?? 0) + 1;
    layers.forEach(({ values }, layer) => {
      sum[layer] = (sum[layer] ?? 0) + (values[index] ?? 0);
    });
  });
  return sums.map((sum, bar) => ({
    startMs: (last - (bars - 1 - bar)) * barMs,
    rates: sum.map((total) => total / Math.max(1, seconds[bar] ?? 0)),
  }));
}

/** All bars of one layer as one path: 60 elements less for each. */
function pathOf(shown: readonly Bar[], layer: number, top: number): string {
  return shown
    .map(({ rates }, at) => {
      const rate = rates[layer] ?? 0;
      if (rate === 0) return '';
      const tall = (rate / top) * height;
      const upper = height - (sumOf(rates.slice(0, layer)) / top) * height - tall;
      return `M${at + 0.08} ${upper.toFixed(2)}h.84v${tall.toFixed(2)}h-.84z`;
    })
    .join('');
}

function sumOf(rates: readonly number[]): number {
  return rates.reduce((sum, rate) => sum + rate, 0);
}

function rateText(rate: number): string {
  const text = rate === 0 || rate >= 10 ? count(Math.round(rate)) : rate.toFixed(1);
  return `${text}/s`;
}

/** The next round figure that is not below, of which the half is round, too. */
function niceTop(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const steps = power === 1 ? [2, 4, 6, 8, 10] : [1, 2, 3, 4, 5, 6, 8, 10];
  return (steps.find((step) => step * power >= value) ?? 10) * power;
}

function inWords(layers: readonly Layer[]): string {
  return layers
    .map(({ name, values }) => `${name} ${count(values.reduce((sum, value) => sum + value, 0))}`)
    .join(', ');
}
