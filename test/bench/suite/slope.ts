/** The line through points that fits them best (least squares). Pure. */

/** A straight line. */
export interface Line {
  readonly start: number;
  /** Per unit of x. */
  readonly slope: number;
}

/** The line through the points; flat through their mean when they are fewer than two. */
export function fittedLine(points: readonly (readonly [x: number, y: number])[]): Line {
  const mean = (pick: (point: readonly [number, number]) => number): number =>
    points.reduce((sum, point) => sum + pick(point), 0) / Math.max(1, points.length);
  const meanX = mean(([x]) => x);
  const meanY = mean(([, y]) => y);
  const spread = mean(([x]) => (x - meanX) ** 2);
  const slope = spread === 0 ? 0 : mean(([x, y]) => (x - meanX) * (y - meanY)) / spread;
  return { start: meanY - slope * meanX, slope };
}
