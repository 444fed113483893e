// SPDX-License-Identifier: Apache-2.0
// Where a picture comes into being: rough looks, how far it is, and then the picture.
// @ts-check
import { fill, h } from '../../lib/dom.js';
import { duration } from '../../lib/format.js';
import { icon } from '../../lib/parts.js';

export class Stage {
  /** What the images wear, once it is known. @type {any[]} */
  worn = [];

  #image = h('img', { alt: '', class: 'stage-image', hidden: true });
  #empty = h('p', { class: 'muted' }, 'What you draw comes here.');
  #bar = h('progress', { max: 1, value: 0, hidden: true, 'aria-label': 'How far it is' });
  #note = h('p', { class: 'stage-note', role: 'status' });
  #stop;
  #address = '';
  #steps = 0;

  /** @param {{ onStop: () => void }} said */
  constructor({ onStop }) {
    this.#stop = h('button', { type: 'button', class: 'plain', hidden: true, on: { click: onStop } }, icon('stop'), 'Stop', h('kbd', { 'aria-hidden': 'true' }, 'Esc'));
    this.element = h('section', { class: 'drawing panel', 'aria-label': 'Drawing' },
      h('div', { class: 'stage-frame' }, this.#image, this.#empty),
      this.#bar, h('div', { class: 'stage-foot' }, this.#note, this.#stop));
  }

  begin() {
    this.#bar.hidden = this.#stop.hidden = false;
    this.#bar.removeAttribute('value');
    fill(this.#note, 'Asking …');
    this.element.setAttribute('aria-busy', 'true');
    this.element.scrollIntoView({ block: 'nearest' });
  }

  /** @param {any} told */
  accept(told) {
    this.worn = told.worn;
    const wait = told.queue_depth ? `${told.queue_depth} images are drawn before it` : 'It begins';
    fill(this.#note, wait, ...told.warnings.map((/** @type {any} */ one) => h('span', { class: 'warning' }, ` ${one.release}: ${one.message}`)));
  }

  /** @param {{ index: number, step: number, steps: number }} told */
  progress(told) {
    this.#steps = told.steps;
    this.#bar.value = told.step / told.steps;
    fill(this.#note, `Step ${told.step} of ${told.steps}${told.index ? `, image ${told.index + 1}` : ''}`);
  }

  /** @param {{ step: number }} told @param {Blob} picture */
  look(told, picture) {
    this.#paint(picture, true);
    this.#image.alt = `A rough look after step ${told.step} of ${this.#steps}`;
  }

  /** @param {Blob} picture @param {{ seed: number }} told */
  show(picture, told) {
    this.#paint(picture, false);
    this.#image.alt = `Drawn with seed ${told.seed}`;
    if (!this.#bar.hidden) this.#bar.value = 1;
  }

  /** @param {{ queue_ms: number, total_ms: number }} told */
  end(told) {
    this.#rest(`Done in ${duration(told.total_ms / 1000)}${told.queue_ms > 50 ? `, ${duration(told.queue_ms / 1000)} of it waiting` : ''}`);
  }

  stop() {
    this.#rest('Stopped.');
  }

  /** @param {import('../../lib/api.js').ApiError} error */
  fail(error) {
    this.#rest(`It failed: ${error.message}`);
  }

  /** @param {string} words */
  #rest(words) {
    this.#bar.hidden = this.#stop.hidden = true;
    this.element.removeAttribute('aria-busy');
    fill(this.#note, words);
  }

  /** @param {Blob} picture @param {boolean} isRough */
  #paint(picture, isRough) {
    const before = this.#address;
    this.#address = URL.createObjectURL(picture);
    this.#image.src = this.#address;
    this.#image.hidden = false;
    this.#image.classList.toggle('rough', isRough);
    this.#empty.hidden = true;
    if (before) URL.revokeObjectURL(before);
  }
}

/**
 * @param {Blob} file
 * @param {{ seed: number, worn: any[], onWords: () => void, onShow: () => void }} said
 */
export function pictureCard(file, { seed, worn, onWords, onShow }) {
  const address = URL.createObjectURL(file);
  const name = worn.map((one) => `${one.adapter} ${one.version}`).join(', ') || 'the base';
  return h('li', { class: 'result' },
    h('button', { type: 'button', class: 'result-show', 'aria-label': `Show the picture with seed ${seed}`, on: { click: onShow } }, h('img', { src: address, alt: '' })),
    h('p', { class: 'small' }, `seed ${seed}`),
    h('p', { class: 'small muted' }, name),
    h('p', { class: 'result-acts' },
      h('a', { href: address, download: `tabard-${seed}.png`, 'aria-label': `Save the picture with seed ${seed}` }, 'Save'),
      h('button', { type: 'button', class: 'link', 'aria-label': `How the picture with seed ${seed} was made`, on: { click: onWords } }, 'How')));
}
