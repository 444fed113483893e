// SPDX-License-Identifier: Apache-2.0
// Scores over versions: one of them as a chart, with the same as a table beside it.
// @ts-check
import { lineChart, pointTable } from '../../lib/chart.js';
import { h } from '../../lib/dom.js';

const TONES = /** @type {Record<string, string>} */ ({ success: 'good', failed: 'bad', inconclusive: 'warn' });

/**
 * @param {import('../style.js').Known[]} known newest first
 * @param {string} name the score that is shown
 * @param {(name: string) => void} onChoose
 */
export function scoresPanel(known, name, onChoose) {
  const heading = h('h2', { id: 'scores-title' }, 'Scores over versions');
  const measured = known.toReversed().map((one) => ({ one, scores: one.scores.filter((score) => score.state === 'measured' && typeof score.value === 'number') })).filter((row) => row.scores.length);
  const names = [...new Set(measured.flatMap((row) => row.scores.map((score) => score.name)))];
  if (!names.length) {
    return [heading, h('p', { class: 'muted' }, 'Nothing was measured yet. ', h('code', { class: 'mono' }, 'tabard evaluate REF'), ' does.')];
  }
  const chosen = names.includes(name) ? name : names[0] ?? '';
  const points = measured.flatMap(({ one, scores }) => scores.filter((score) => score.name === chosen).map((score) => ({
    label: one.version, value: Number(score.value), low: score.low ?? null, high: score.high ?? null,
    tone: TONES[one.verdict] ?? '', mark: one.verdict, of: score.of ?? null,
  })));
  const meaning = measured.flatMap((row) => row.scores).find((score) => score.name === chosen)?.reason ?? '';
  return [
    h('header', { class: 'panel-head' }, heading,
      h('label', { class: 'visually-hidden', for: 'score' }, 'Score'),
      h('select', { id: 'score', on: { change: (/** @type {any} */ event) => onChoose(event.target.value) } },
        names.map((one) => h('option', { value: one, selected: one === chosen }, one.replaceAll('_', ' '))))),
    meaning && h('p', { class: 'muted' }, meaning),
    h('div', { class: 'scores' }, lineChart(chosen, points), pointTable(chosen.replaceAll('_', ' '), points)),
    h('p', { class: 'muted small' }, 'Scores inform; a person decides. Bars are intervals over prompts and seeds.'),
  ];
}
