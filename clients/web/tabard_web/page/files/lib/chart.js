// SPDX-License-Identifier: Apache-2.0
// A line over versions with the interval of each value, as SVG; and the same as a table, which says
// all that the picture does. In: points in their order. Out: elements.
// @ts-check
import { h, svg } from './dom.js';
import { number, scored } from './format.js';

/** @typedef {{ label: string, value: number, low: number | null, high: number | null, tone: string, mark: string, of?: number | null }} Point */

const WIDTH = 420;
const HEIGHT = 230;
const EDGE = { left: 40, right: 10, top: 16, bottom: 34 };
const TICKS = 4;

/** @param {string} name what is measured @param {Point[]} points */
export function lineChart(name, points) {
  const values = points.flatMap((one) => [one.value, one.low ?? one.value, one.high ?? one.value]);
  const ticks = scale(Math.min(...values, 0), Math.max(...values, 0));
  const [bottom, top] = [ticks[0] ?? 0, ticks.at(-1) ?? 1];
  const step = (WIDTH - EDGE.left - EDGE.right) / points.length;
  const x = (/** @type {number} */ index) => EDGE.left + step * (index + 0.5);
  const y = (/** @type {number} */ value) => HEIGHT - EDGE.bottom
    - ((value - bottom) / (top - bottom)) * (HEIGHT - EDGE.top - EDGE.bottom);
  const told = points.map((one) => `${one.label}: ${scored(one)}`).join(', ');
  return svg('svg', { class: 'chart', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': `${name} by version. ${told}` },
    ticks.map((value) => svg('g', null,
      svg('line', { class: value === 0 ? 'axis' : 'grid', x1: EDGE.left, x2: WIDTH - EDGE.right, y1: y(value), y2: y(value) }),
      svg('text', { class: 'tick', x: EDGE.left - 8, y: y(value) + 4, 'text-anchor': 'end' }, number(value)))),
    svg('polyline', { class: 'line', points: points.map((one, index) => `${x(index)},${y(one.value)}`).join(' ') }),
    points.map((one, index) => svg('g', { class: `point ${one.tone}` },
      svg('title', null, `${one.label}: ${shown(one)}`),
      one.low !== null && one.high !== null && svg('path', { class: 'whisker', d: whisker(x(index), y(one.low), y(one.high)) }),
      svg('circle', { cx: x(index), cy: y(one.value), r: 5.5 }),
      (points.length <= 7 || index % Math.ceil(points.length / 7) === 0)
        && svg('text', { class: 'tick', x: x(index), y: HEIGHT - 12, 'text-anchor': 'middle' }, one.label))));
}

/** @param {string} name @param {Point[]} points */
export function pointTable(name, points) {
  return h('div', { class: 'table-scroll', tabindex: 0, role: 'region', 'aria-label': `${name} as a table` }, h('table', null,
    h('thead', null, h('tr', null, ['Version', name, 'Interval', 'Verdict'].map((title, index) => h('th', { scope: 'col', class: index % 3 ? 'number' : '' }, title)))),
    h('tbody', null, points.toReversed().map((one) => h('tr', null,
      h('th', { scope: 'row', class: 'mono' }, one.label),
      h('td', { class: 'number' }, scored(one)),
      h('td', { class: 'number' }, one.low === null ? '–' : `${number(one.low)} to ${number(one.high)}`),
      h('td', null, one.mark))))));
}

/** @param {Point} point */
function shown(point) {
  const interval = point.low === null ? '' : ` (${number(point.low)} to ${number(point.high)})`;
  return `${scored(point)}${interval}${point.mark ? `, ${point.mark}` : ''}`;
}

/** @param {number} x @param {number} low @param {number} high */
function whisker(x, low, high) {
  return `M${x} ${low}V${high}M${x - 6} ${low}h12M${x - 6} ${high}h12`;
}

/** Round numbers from below the lowest value to above the highest. @param {number} low @param {number} high */
function scale(low, high) {
  const rough = (high - low || 1) / TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 2.5, 5, 10].find((one) => one * power >= rough) ?? 10) * power;
  const ticks = [];
  for (let value = Math.floor(low / step) * step; value < high + step; value += step) ticks.push(Number(value.toPrecision(6)));
  return ticks;
}
