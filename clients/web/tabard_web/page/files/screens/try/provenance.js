// SPDX-License-Identifier: Apache-2.0
// What a picture says of how it was made; its settings for the form; and the picture made again.
// @ts-check
import { ApiError, ask } from '../../lib/api.js';
import { fill, h } from '../../lib/dom.js';
import { number } from '../../lib/format.js';
import { chip } from '../../lib/parts.js';

const DEPTH_MAX = 6;
const LEAVES_MAX = 200;
const OUTCOMES = /** @type {Record<string, [string, string]>} */ ({
  same_file: ['good', 'The same file, to the byte'],
  same_pixels: ['good', 'The same pixels; what the file says of itself differs'],
  close: ['good', 'The same, but for 1 of 255 here and there, as a batch may do'],
  different: ['bad', 'Another picture'],
  not_drawn: ['bad', 'It could not be drawn'],
});

/**
 * @param {Blob} file
 * @param {{ provenance: any, parameters: string, is_replayable: boolean }} words
 * @param {{ onUse: (asked: any) => void, signal: AbortSignal }} said
 */
export function provenancePanel(file, words, { onUse, signal }) {
  const address = URL.createObjectURL(file);
  const outcome = h('div', { class: 'outcome', role: 'status' });
  const again = h('button', { type: 'button', class: 'primary', on: { click: replay } }, 'Draw it again, exactly');
  const said = words.provenance;
  return h('section', { class: 'panel provenance', 'aria-label': 'How a picture was made' },
    h('header', { class: 'panel-head' }, h('h2', null, said ? 'How it was made' : 'It says nothing of how Tabard made it')),
    h('div', { class: 'provenance-body' },
      h('img', { src: address, alt: 'The picture that was dropped' }),
      h('div', null,
        said && h('p', { class: 'notes' }, typeof said.prompt === 'string' ? said.prompt : ''),
        said && h('ul', { class: 'chips' }, worn(said).map((one) => h('li', null, chip(`${one.name} × ${number(one.weight)}`, 'accent')))),
        !said && words.parameters && h('p', { class: 'notes mono' }, words.parameters),
        h('div', { class: 'actions' },
          said && h('button', { type: 'button', class: 'plain', on: { click: () => onUse(asked(said)) } }, 'Use its settings'),
          words.is_replayable && again))),
    outcome,
    said && h('details', { class: 'more' }, h('summary', null, 'Everything it says'),
      h('dl', { class: 'facts' }, leaves(said).flatMap(([name, value]) => [h('dt', { class: 'mono' }, name), h('dd', { class: 'mono' }, value)]))));

  async function replay() {
    again.disabled = true;
    fill(outcome, h('p', { class: 'muted' }, 'Drawing it again …'));
    try {
      fill(outcome, replayed(await ask('replay', { method: 'POST', body: file, signal }), address));
    } catch (error) {
      if (error instanceof ApiError) fill(outcome, h('p', { class: 'form-error' }, [error.message, error.hint].filter(Boolean).join('; ')));
    } finally {
      again.disabled = false;
    }
  }
}

/** @param {any} told @param {string} address */
function replayed(told, address) {
  const [tone, words] = OUTCOMES[told.outcome] ?? ['', told.outcome];
  return [
    h('p', null, chip(told.outcome.replaceAll('_', ' '), tone), ` ${words}.`),
    told.refusal && h('p', { class: 'form-error' }, [told.refusal.message, told.refusal.hint].filter(Boolean).join('; ')),
    told.content && h('div', { class: 'then-now' },
      h('figure', null, h('img', { src: address, alt: 'Then' }), h('figcaption', null, 'then')),
      h('figure', null, h('img', { src: URL.createObjectURL(new Blob([Uint8Array.from(atob(told.content), (one) => one.charCodeAt(0))], { type: told.media_type })), alt: 'Now' }), h('figcaption', null, 'now'))),
    told.differences.length > 0 && h('div', { class: 'table-scroll', tabindex: 0, role: 'region', 'aria-label': 'What differs' }, h('table', null,
      h('thead', null, h('tr', null, ['What', 'Then', 'Now'].map((name) => h('th', { scope: 'col' }, name)))),
      h('tbody', null, told.differences.map((/** @type {any} */ one) => h('tr', null, h('th', { scope: 'row', class: 'mono' }, one.name), h('td', { class: 'mono' }, one.then || '–'), h('td', { class: 'mono' }, one.now || '–')))))),
  ];
}

/** What it wears, a recipe as itself. @param {any} said @returns {{ name: string, ref: string, weight: number }[]} */
function worn(said) {
  const all = (Array.isArray(said.stack) ? said.stack : []).map((/** @type {any} */ one) => one?.recipe ?? one)
    .filter((/** @type {any} */ one) => typeof one?.adapter === 'string' && typeof one?.digest === 'string');
  const found = new Map(all.map((/** @type {any} */ one) => [one.digest, {
    name: `${one.adapter} ${one.version ?? ''}`, ref: `${one.adapter}@${one.digest}`, weight: Number(one.weight ?? 1),
  }]));
  return [...found.values()];
}

/** What the form takes of it. @param {any} said */
function asked(said) {
  const trigger = said.trigger && typeof said.trigger === 'object' ? said.trigger : {};
  return {
    prompt: trigger.prompt ?? said.prompt, negative_prompt: trigger.negative_prompt ?? said.negative_prompt, seed: said.seed, num_inference_steps: said.steps,
    guidance_scale: said.guidance_scale, width: said.width, height: said.height, num_images: 1, sampler: said.sampler,
    schedule: said.schedule, timestep_spacing: said.timestep_spacing,
    deterministic: said.deterministic, auto_trigger: trigger.auto, refs: worn(said),
  };
}

/** @param {any} value @param {string} [name] @param {number} [depth] @returns {[string, string][]} */
function leaves(value, name = '', depth = 0) {
  if (value && typeof value === 'object' && depth < DEPTH_MAX) {
    return Object.entries(value).flatMap(([key, one]) => leaves(one, name ? `${name}.${key}` : key, depth + 1)).slice(0, LEAVES_MAX);
  }
  return [[name, typeof value === 'string' ? value : JSON.stringify(value)]];
}
