// SPDX-License-Identifier: Apache-2.0
// The form of what to draw: styles with weights, prompt, seed, and what is rarely changed.
// @ts-check
import { fill, h } from '../../lib/dom.js';
import { icon } from '../../lib/parts.js';

const STYLES_MAX = 8;
const SILENT = 'as the server has it';
/** Fields that stand in a request by their own name, and how they are read. */
const NUMBERS = ['seed', 'num_inference_steps', 'guidance_scale', 'width', 'height', 'num_images'];
const LABELS = /** @type {Record<string, string>} */ ({
  seed: 'Seed', num_inference_steps: 'Steps', guidance_scale: 'Guidance', width: 'Width', height: 'Height', num_images: 'Images',
});

/** @typedef {{ ref: string, weight: number }} Worn */

/** @param {{ onDraw: () => void }} said */
export function drawForm({ onDraw }) {
  const prompt = h('textarea', { id: 'prompt', rows: 3, placeholder: 'What to draw', 'aria-describedby': 'prompt-note' });
  const negative = h('input', { id: 'negative_prompt', autocomplete: 'off' });
  const rows = h('ul', { class: 'worn' });
  const choices = h('datalist', { id: 'styles' });
  const sampler = h('select', { id: 'sampler', on: { change: () => setWalks() } }, h('option', { value: '' }, SILENT));
  const schedule = h('select', { id: 'schedule' }, h('option', { value: '' }, SILENT));
  const spacing = h('select', { id: 'timestep_spacing' }, h('option', { value: '' }, SILENT));
  /** @type {any} */
  let status = null;
  const trigger = h('input', { id: 'auto_trigger', type: 'checkbox', checked: true });
  const exact = h('input', { id: 'deterministic', type: 'checkbox' });
  const numbers = Object.fromEntries(NUMBERS.map((name) => [name, h('input', {
    id: name, type: 'number', min: name === 'guidance_scale' || name === 'seed' ? 0 : 1, step: name === 'guidance_scale' ? 'any' : 1, inputmode: 'decimal', placeholder: name === 'seed' ? 'random' : 'default',
  })]));
  const button = h('button', { type: 'submit', class: 'primary' }, 'Draw', h('kbd', { 'aria-hidden': 'true' }, 'd'));
  const note = h('p', { class: 'form-error', role: 'alert', id: 'prompt-note' });
  const element = h('form', { class: 'draw-form', on: { submit: (/** @type {Event} */ event) => { event.preventDefault(); onDraw(); } } },
    h('label', { for: 'prompt' }, 'Prompt'), prompt,
    h('label', { class: 'switch small' }, trigger, 'Put trigger words in'),
    h('div', { class: 'field-head' }, h('h2', null, 'Styles'), h('button', { type: 'button', class: 'plain small', on: { click: () => add({ ref: '', weight: 1 })?.focus() } }, 'Add a style')),
    rows, choices,
    h('div', { class: 'numbers' }, ['seed', 'num_images'].map(field)),
    h('details', { class: 'more' }, h('summary', null, 'More'),
      h('div', { class: 'numbers' }, ['num_inference_steps', 'guidance_scale', 'width', 'height'].map(field)),
      h('label', { for: 'negative_prompt' }, 'Keep away from'), negative,
      h('label', { for: 'sampler' }, 'Sampler'), sampler,
      h('label', { for: 'schedule' }, 'Schedule'), schedule,
      h('label', { for: 'timestep_spacing' }, 'Spacing of steps'), spacing,
      h('label', { class: 'switch small' }, exact, 'Byte-identical for the same request')),
    note,
    button);

  /** @param {string} name */
  function field(name) {
    return h('div', null, h('label', { for: name }, LABELS[name] ?? name), numbers[name] ?? null);
  }

  /** Offers what the chosen sampler takes, and keeps what was chosen before. */
  function setWalks() {
    const one = status?.sampler_options.find((/** @type {any} */ option) => option.name === sampler.value);
    const titles = new Map((status?.schedules ?? []).map((/** @type {any} */ known) => [known.name, known.title]));
    offer(schedule, (one ? one.schedules : [...titles.keys()]).map((/** @type {string} */ name) => [name, titles.get(name) ?? name]));
    const spacings = one ? one.timestep_spacings : new Set((status?.sampler_options ?? []).flatMap((/** @type {any} */ option) => option.timestep_spacings));
    offer(spacing, [...spacings].map((/** @type {string} */ name) => [name, name]));
  }

  /** @param {Worn} worn */
  function add(worn) {
    if (rows.childElementCount >= STYLES_MAX) return null;
    const ref = h('input', { list: 'styles', 'aria-label': 'Style', value: worn.ref, placeholder: 'namespace/name@channel', autocomplete: 'off', spellcheck: 'false', name: 'ref' });
    const weight = h('input', { type: 'number', 'aria-label': 'Weight', step: 0.05, min: -4, max: 4, value: String(worn.weight), name: 'weight' });
    const row = h('li', null, ref, weight,
      h('button', { type: 'button', class: 'quiet', 'aria-label': 'Take this style off', on: { click: () => { row.remove(); prompt.focus(); } } }, icon('close')));
    rows.append(row);
    return ref;
  }

  return {
    element,
    focus: () => prompt.focus(),

    /** @param {Worn[]} all */
    setRefs(all) {
      rows.replaceChildren();
      all.forEach(add);
    },

    /** @param {any[]} styles @param {any} told */
    setChoices(styles, told) {
      status = told;
      fill(choices, styles.flatMap((one) => one.channels.map((/** @type {any} */ channel) => h('option', { value: channel.name === 'stable' ? one.name : `${one.name}@${channel.name}` }, one.title))));
      offer(sampler, status.sampler_options.map((/** @type {any} */ one) => [one.name, one.title]));
      setWalks();
    },

    /** @param {boolean} isBusy */
    setBusy(isBusy) {
      button.disabled = isBusy;
      element.toggleAttribute('aria-busy', isBusy);
      if (isBusy) {
        fill(note);
        for (const one of element.querySelectorAll('[aria-invalid]')) one.removeAttribute('aria-invalid');
      }
    },

    /** @param {import('../../lib/api.js').ApiError} error */
    showError(error) {
      const name = (error.field ?? '').split(/[[.]/)[0];
      const wrong = name === 'adapters' ? rows.querySelector('input') : element.querySelector(`#${CSS.escape(name || 'none')}`);
      wrong?.setAttribute('aria-invalid', 'true');
      fill(note, [error.message, error.hint].filter(Boolean).join('; '));
    },

    /** Fills the form with what a picture says. @param {any} said */
    set(said) {
      prompt.value = said.prompt ?? '';
      negative.value = said.negative_prompt ?? '';
      for (const name of NUMBERS) /** @type {any} */ (numbers[name]).value = said[name] ?? '';
      choose(sampler, said.sampler ?? '');
      setWalks();
      choose(schedule, said.schedule ?? '');
      choose(spacing, said.timestep_spacing ?? '');
      exact.checked = Boolean(said.deterministic);
      trigger.checked = Boolean(said.auto_trigger);
      this.setRefs(said.refs ?? []);
    },

    /** What the gateway is asked. */
    get asked() {
      /** @type {Record<string, unknown>} */
      const asked = { prompt: prompt.value, adapters: [...rows.children].flatMap(refOf), auto_trigger: trigger.checked, deterministic: exact.checked };
      if (negative.value.trim()) asked.negative_prompt = negative.value;
      for (const one of [sampler, schedule, spacing]) if (one.value) asked[one.id] = one.value;
      for (const name of NUMBERS) {
        const text = numbers[name]?.value ?? '';
        if (text !== '') asked[name] = Number(text);
      }
      return asked;
    },
  };
}

/** @param {HTMLSelectElement} select @param {[string, string][]} values and what they are called */
function offer(select, values) {
  const chosen = select.value;
  fill(select, h('option', { value: '' }, SILENT), values.map(([value, title]) => h('option', { value, selected: value === chosen }, title)));
}

/** Chooses a value, one that is not offered too. @param {HTMLSelectElement} select @param {string} value */
function choose(select, value) {
  if (![...select.options].some((one) => one.value === value)) select.append(h('option', { value }, value));
  select.value = value;
}

/** @param {Element} row */
function refOf(row) {
  const [ref, weight] = [...row.querySelectorAll('input')].map((one) => one.value.trim());
  return ref ? [`${ref}:${weight || 1}`] : [];
}
