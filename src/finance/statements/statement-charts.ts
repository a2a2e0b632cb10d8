import { type HtmlText, html } from './html-text.ts';

/** A value of a chart: its name, its text, and the drawn parts, in one unit, 0 or more. */
export interface ChartItem {
  name: string;
  shown: string;
  parts: readonly number[];
}

export interface Chart {
  /** Unique in the page. */
  id: string;
  title: string;
  /** The chart in words, for a screen reader. */
  summary: string;
  items: readonly ChartItem[];
  /** CSS classes of the parts. */
  parts: readonly string[];
  /** Formats a value at the axis. */
  axis: (value: number) => string;
  /** The step of the axis is a round number of these. */
  unit: number;
}

const WIDTH = 720;
const COLUMNS_HEIGHT = 132;
const AXIS = 64;
const ROW = 26;
const LABEL_OVER = 10;

/** Returns columns side by side, one for each item, its parts above each other. */
export function columnChart(chart: Chart): HtmlText {
  const { items, parts } = chart;
  const ticks = ticksUpTo(highest(items), chart.unit);
  const top = ticks[ticks.length - 1] || 1;
  const bottom = COLUMNS_HEIGHT - 20;
  const y = (value: number) => round(bottom - (value / top) * (bottom - LABEL_OVER));
  const step = (WIDTH - AXIS) / Math.max(1, items.length);
  const width = round(Math.min(34, step * 0.72));
  const columns = items.map((item, at) => {
    const x = round(AXIS + step * at + (step - width) / 2);
    let below = 0;
    const drawn = item.parts.map((value, part) => {
      const from = y(below);
      below += Math.max(0, value);
      return html`<rect class="${parts[part]}" x="${x}" y="${y(below)}" width="${width}" height="${round(from - y(below))}"/>`;
    });
    const isNamed = items.length <= 16 || at % 2 === 0;
    const name = isNamed
      ? html`<text class="tick" x="${round(x + width / 2)}" y="${COLUMNS_HEIGHT - 5}" text-anchor="middle">${item.name}</text>`
      : '';
    return html`<g><title>${item.shown}</title>${drawn}${name}</g>`;
  });
  const grid = ticks.map(
    (tick) =>
      html`<line class="grid" x1="${AXIS}" x2="${WIDTH}" y1="${y(tick)}" y2="${y(tick)}"/><text class="tick" x="${AXIS - 8}" y="${round(y(tick) + 3.5)}" text-anchor="end">${chart.axis(tick)}</text>`,
  );
  return framed(chart, COLUMNS_HEIGHT, [...grid, ...columns]);
}

/**
 * Returns bars below each other, in the order of the items (longest first), each with its name above it and its value at its
 * end.
 */
export function barChart(chart: Chart): HtmlText {
  const { items, parts } = chart;
  const longest = highest(items) || 1;
  const room = WIDTH / 2 - 20;
  const bars = items.map((item, at) => {
    const y = at * ROW * 1.5;
    let x = 0;
    const drawn = item.parts.map((value, part) => {
      const width = round((Math.max(0, value) / longest) * room);
      x = round(x + width);
      return html`<rect class="${parts[part]}" x="${round(x - width)}" y="${y + 17}" width="${width}" height="12"/>`;
    });
    return html`<g><text class="label" x="0" y="${y + 12}">${item.name}</text><text class="value" x="${room}" y="${y + 12}" text-anchor="end">${item.shown}</text>
<rect class="track" x="0" y="${y + 17}" width="${room}" height="12"/>${drawn}</g>`;
  });
  return framed(chart, Math.max(1, items.length) * ROW * 1.5, bars, room);
}

function framed({ id, title, summary }: Chart, height: number, inner: readonly HtmlText[], width = WIDTH): HtmlText {
  return html`<svg viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="${id}-title ${id}-desc"><title id="${id}-title">${title}</title><desc id="${id}-desc">${summary}</desc>${inner}</svg>`;
}

function highest(items: readonly ChartItem[]): number {
  return Math.max(0, ...items.map(({ parts }) => parts.reduce((sum, part) => sum + Math.max(0, part), 0)));
}

/** Returns 0 and three or four round numbers above it, the last of them at or above `value`. */
function ticksUpTo(value: number, unit: number): number[] {
  if (value <= 0) return [0];
  const rough = value / unit / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power * unit;
  return Array.from({ length: Math.ceil(value / step - 1e-9) + 1 }, (_, at) => at * step);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
