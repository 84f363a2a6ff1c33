/** Line charts as inline SVG; scales, ticks and paths are d3's. */
import { type ScaleContinuousNumeric, scaleLinear, scaleLog } from 'd3-scale';
import { line } from 'd3-shape';

export interface Series {
  readonly name: string;
  readonly color: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Draw the points as dots too. */
  readonly dots?: boolean;
}
export interface ChartOptions {
  readonly title: string;
  readonly xLabel: string;
  readonly y: {
    readonly from: number;
    readonly to: number;
    readonly log?: boolean;
    readonly format: (y: number) => string;
  };
}

const [width, height] = [620, 300];
const margin = { top: 32, right: 16, bottom: 40, left: 56 };

export function chart(series: readonly Series[], { title, xLabel, y: axis }: ChartOptions): string {
  const last = Math.max(1, ...series.flatMap(({ points }) => points.map(([x]) => x)));
  const x = scaleLinear([0, last], [margin.left, width - margin.right]);
  const y = (axis.log ? scaleLog : scaleLinear)([axis.from, axis.to], [height - margin.bottom, margin.top]).clamp(true);
  const path = line<readonly [number, number]>(
    ([at]) => x(at),
    ([, value]) => y(value),
  );
  const lines = series.map(
    ({ points, color, dots }) =>
      `<path d="${path(points) ?? ''}" fill="none" stroke="${color}" stroke-width="1.5"/>` +
      (dots ? points.map(([a, b]) => `<circle cx="${x(a)}" cy="${y(b)}" r="3.5" fill="${color}"/>`).join('') : ''),
  );
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}">
  <text x="${margin.left}" y="18" class="title">${title}</text>
  ${yTicks(y, axis.format)}
  ${xTicks(x)}
  <text x="${width - margin.right}" y="${height - 6}" text-anchor="end">${xLabel}</text>
  ${lines.join('\n  ')}
  ${series.map(({ name, color }, i) => `<text x="${width - margin.right - 130 * (series.length - 1 - i)}" y="18" text-anchor="end" fill="${color}">${name}</text>`).join('')}
</svg>`;
}

type Scale = ScaleContinuousNumeric<number, number>;

function yTicks(y: Scale, format: (y: number) => string): string {
  const ticks = y.ticks(5);
  // A logarithmic scale gives many ticks; those that stand a line apart are enough.
  let above = Infinity;
  return ticks
    .map((value) => {
      const at = y(value);
      const rule = `<line x1="${margin.left}" x2="${width - margin.right}" y1="${at}" y2="${at}" class="grid"/>`;
      if (above - at < 16) return '';
      above = at;
      return `${rule}<text x="${margin.left - 8}" y="${at + 4}" text-anchor="end">${format(value)}</text>`;
    })
    .join('');
}

const xTicks = (x: Scale): string =>
  x
    .ticks(6)
    .map((value) => `<text x="${x(value)}" y="${height - margin.bottom + 18}" text-anchor="middle">${value}</text>`)
    .join('');
