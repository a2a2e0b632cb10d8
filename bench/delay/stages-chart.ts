import { STAGES, type Stages } from './delays.ts';

const WIDTH = 860;
const LABEL_WIDTH = 180;
const BAR_HEIGHT = 34;
const ROW_HEIGHT = 56;
const LEGEND_ROW = 22;
const TOP = 60;
const COLOURS = ['#8d99ae', '#5c7c9c', '#c8cfdb', '#0b6e4f', '#3fa37f', '#e0a030', '#f0dca8', '#b5533c'];
/** Narrower parts have no room for their figure. */
const FIGURE_WIDTH = 26;

/** One stacked bar for all records and one for the slowest hundredth: mean milliseconds of each stage. */
export function stagesChart({ all, slowest }: { all: Stages; slowest: Stages }, caption: string): string {
  const sumOf = (stages: Stages) => STAGES.reduce((sum, stage) => sum + stages[stage], 0);
  const scale = (WIDTH - LABEL_WIDTH - 90) / Math.max(sumOf(all), sumOf(slowest), 1);
  const bar = (label: string, stages: Stages, row: number) => {
    const y = TOP + row * ROW_HEIGHT;
    let x = LABEL_WIDTH;
    const parts = STAGES.map((stage, at) => {
      const width = stages[stage] * scale;
      const text = `<text x="${x + width / 2}" y="${y + 22}" font-size="12" text-anchor="middle">${Math.round(stages[stage])}</text>`;
      const part = `<rect x="${x}" y="${y}" width="${width}" height="${BAR_HEIGHT}" fill="${COLOURS[at]}"/>${width < FIGURE_WIDTH ? '' : text}`;
      x += width;
      return part;
    });
    return `<text x="${LABEL_WIDTH - 10}" y="${y + 22}" text-anchor="end">${label}</text>
${parts.join('\n')}
<text x="${x + 8}" y="${y + 22}">${Math.round(sumOf(stages))} ms</text>`;
  };
  const legendTop = TOP + 2 * ROW_HEIGHT;
  const legend = STAGES.map((stage, at) => {
    const [x, y] = [LABEL_WIDTH + (at % 2) * 320, legendTop + Math.floor(at / 2) * LEGEND_ROW];
    return `<rect x="${x}" y="${y}" width="14" height="14" fill="${COLOURS[at]}"/><text x="${x + 22}" y="${y + 12}" font-size="13">${stage}</text>`;
  });
  const height = legendTop + Math.ceil(STAGES.length / 2) * LEGEND_ROW + 14;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="15">
<title>What a record waits for until its batch is booked and announced</title>
<rect width="100%" height="100%" fill="#fff"/>
<text x="16" y="24" font-size="17" font-weight="bold">What a record waits for until its batch is booked and announced, mean milliseconds</text>
<text x="16" y="43" font-size="12" fill="#555">${caption}</text>
${bar('all records', all, 0)}
${bar('slowest hundredth', slowest, 1)}
${legend.join('\n')}
</svg>
`;
}
