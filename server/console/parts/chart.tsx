/**
 * Charts as plain SVG: counts of one second each, stacked. Whoever cannot see them gets the same
 * figures in words. Colours come from the style sheet, and differ in lightness, not in hue alone.
 */
import { useState } from 'preact/hooks';
import { clock, count } from '../wording.ts';

/** One layer of the stack. */
export interface Layer {
  readonly name: string;
  /** Class of the style sheet that gives its colour. */
  readonly class: string;
  readonly values: readonly number[];
}

const width = 900;
const height = 150;
const foot = 18;
const left = 40;

/** Layers over the same seconds, the first at the bottom. */
export function StackedChart(props: {
  readonly label: string;
  readonly atMs: readonly number[];
  readonly layers: readonly Layer[];
}) {
  const { atMs, layers, label } = props;
  const [pointed, setPointed] = useState<number | null>(null);
  const stacks = stacked(layers, atMs.length);
  const top = niceTop(Math.max(1, ...(stacks.at(-1) ?? [])));
  const x = (index: number) => left + (index / Math.max(1, atMs.length - 1)) * (width - left);
  const y = (value: number) => (height - foot) * (1 - value / top) + 4;
  const point = (event: PointerEvent & { readonly currentTarget: SVGSVGElement }) => {
    const box = event.currentTarget.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * width;
    const index = Math.round(((at - left) / (width - left)) * (atMs.length - 1));
    setPointed(index >= 0 && index < atMs.length ? index : null);
  };
  const areas = layers.map((layer, at) => {
    const upper = stacks[at + 1] ?? [];
    const lower = stacks[at] ?? [];
    return <path key={layer.name} class={`area ${layer.class}`} d={areaOf(upper, lower, x, y)} />;
  });
  const shown = pointed ?? atMs.length - 1;
  return (
    <figure class="chart">
      <figcaption>
        <span class="mono when">{atMs[shown] === undefined ? '' : clock(atMs[shown])}</span>
        {layers.map((layer) => (
          <span key={layer.name} class="key">
            <i class={layer.class} />
            {layer.name} <b class="mono">{count(layer.values[shown] ?? 0)}</b>/s
          </span>
        ))}
      </figcaption>
      <svg
        viewBox={`0 0 ${width} ${height}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${label}: ${inWords(layers)}`}
        onPointerMove={point}
        onPointerLeave={() => setPointed(null)}
      >
        {[0, top / 2, top].map((value) => (
          <line key={value} class="grid" x1={left} x2={width} y1={y(value)} y2={y(value)} />
        ))}
        {areas}
        {pointed === null ? null : (
          <line class="pointer" x1={x(pointed)} x2={x(pointed)} y1={0} y2={height - foot + 4} />
        )}
      </svg>
      <div class="axis" aria-hidden="true">
        <span>{count(top)}</span>
        <span>{top >= 2 ? count(top / 2) : ''}</span>
        <span>0</span>
      </div>
      <div class="ends faint" aria-hidden="true">
        <span>{atMs[0] === undefined ? '' : clock(atMs[0])}</span>
        <span>now</span>
      </div>
    </figure>
  );
}

/** Sums from the bottom: as many lists as layers and one more, which is all zero. */
function stacked(layers: readonly Layer[], length: number): readonly (readonly number[])[] {
  const sums: number[][] = [new Array<number>(length).fill(0)];
  for (const { values } of layers) {
    const below = sums.at(-1) ?? [];
    sums.push(below.map((sum, index) => sum + (values[index] ?? 0)));
  }
  return sums;
}

function areaOf(
  upper: readonly number[],
  lower: readonly number[],
  x: (index: number) => number,
  y: (value: number) => number,
): string {
  if (upper.length === 0) return '';
  const there = upper.map((value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`);
  const back = lower.map((value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`);
  return `M${there.join('L')}L${back.reverse().join('L')}Z`;
}

/** The next of 1, 2, 5, 10, 20 … that is not below. */
function niceTop(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((step) => step * power >= value) ?? 10) * power;
}

function inWords(layers: readonly Layer[]): string {
  return layers
    .map(({ name, values }) => `${name} ${count(values.reduce((sum, value) => sum + value, 0))}`)
    .join(', ');
}
