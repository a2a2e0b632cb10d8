import type { Summary } from './report.ts';

const WIDTH = 860;
const LABEL_WIDTH = 150;
const VALUE_WIDTH = 250;
const ROW_HEIGHT = 44;
const TOP = 56;
const OWN = '#0b6e4f';
const OTHER = '#8d99ae';

/** Bars of records a second, with a line from the slowest round to the fastest; in numbers the CPU seconds of a million records. */
export function chart(summaries: readonly Summary[], caption: string): string {
  const most = Math.max(...summaries.map(({ recordsPerSecond }) => recordsPerSecond.most));
  const scale = (WIDTH - LABEL_WIDTH - VALUE_WIDTH) / most;
  const height = TOP + summaries.length * ROW_HEIGHT + 16;
  const rows = summaries.map((summary, index) => {
    const { name, cpuSecondsPerMillion, storeCpuSecondsPerMillion: store } = summary;
    const { median, least, most: best } = summary.recordsPerSecond;
    const cpu = [cpuSecondsPerMillion, ...(store === undefined ? [] : [store])].map((one) => one.median.toFixed(2));
    const y = TOP + index * ROW_HEIGHT;
    const [from, to] = [least, best].map((value) => LABEL_WIDTH + value * scale);
    const middle = y + 14;
    return [
      `<text x="${LABEL_WIDTH - 10}" y="${y + 19}" text-anchor="end">${name}</text>`,
      `<rect x="${LABEL_WIDTH}" y="${y}" width="${median * scale}" height="28" fill="${name === 'zerorate' ? OWN : OTHER}"/>`,
      `<line x1="${from}" x2="${to}" y1="${middle}" y2="${middle}" stroke="#222" stroke-width="2"/>`,
      `<text x="${Math.max(to, LABEL_WIDTH + median * scale) + 10}" y="${y + 19}">${Math.round(median).toLocaleString('en-US')} · ${cpu.join(' + ')} CPU s/million</text>`,
    ].join('\n');
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="15">
<title>Records per second, one side at a time</title>
<rect width="100%" height="100%" fill="#fff"/>
<text x="16" y="24" font-size="17" font-weight="bold">Records a second, and CPU seconds a million records (+ its store’s)</text>
<text x="16" y="43" font-size="11" fill="#555">${caption}</text>
${rows.join('\n')}
</svg>
`;
}
