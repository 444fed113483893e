// SPDX-License-Identifier: Apache-2.0
// What a release shall look like, and the training picture that is nearest to a picture: one key away.
// @ts-check
import { ApiError, ask } from '../../lib/api.js';
import { fill, h } from '../../lib/dom.js';
import { pixelsOf } from './pair.js';

/** @typedef {'references' | 'training'} Kind */

const SIDE = 16;
const SMALL = 64;

export class LooksPanel {
  element = h('section', { class: 'looks', hidden: true, 'aria-live': 'polite' });
  /** @type {Kind | ''} */
  shown = '';
  /** Small training pictures, as numbers. @type {Promise<{ place: number, pixels: Uint8ClampedArray, isMirrored: boolean }[]> | null} */
  #training = null;

  /** @param {string} ref @param {AbortSignal} signal */
  constructor(ref, signal) {
    this.ref = ref;
    this.signal = signal;
  }

  /** Shows a kind, or hides it. @param {Kind} kind @param {HTMLImageElement | null} image what training pictures are compared with */
  async toggle(kind, image) {
    this.shown = this.shown === kind ? '' : kind;
    this.element.hidden = !this.shown;
    await this.draw(image);
  }

  /** @param {HTMLImageElement | null} image */
  async draw(image) {
    if (!this.shown) return;
    try {
      const told = await ask(`looks?ref=${encodeURIComponent(this.ref)}&kind=${this.shown}`, { signal: this.signal });
      if (told.are_hidden) this.#say('They are kept as embeddings alone: nobody sees them.');
      else if (!told.count) this.#say(this.shown === 'references' ? 'Nobody has published references.' : 'Nobody has published training pictures.');
      else if (this.shown === 'references') this.#references(told.count);
      else if (image) await this.#nearest(told.count, image);
    } catch (error) {
      if (this.signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      this.#say(error.message);
    }
  }

  /** @param {number} count */
  #references(count) {
    fill(this.element, h('h2', null, 'What it shall look like'),
      h('ul', { class: 'looks-list' }, Array.from({ length: count }, (_, place) => h('li', null,
        h('img', { src: this.#address('references', place, 256), alt: `Reference ${place + 1} of ${count}`, loading: 'lazy', width: 112, height: 112 })))));
  }

  /** @param {number} count @param {HTMLImageElement} image */
  async #nearest(count, image) {
    this.#training ??= this.#load(count);
    const known = await this.#training;
    const mine = pixelsOf(image, SIDE, SIDE);
    const found = known.map((one) => ({ ...one, far: distance(mine, one.pixels) })).sort((a, b) => a.far - b.far)[0];
    if (!found || this.shown !== 'training') return;
    fill(this.element, h('h2', null, 'Nearest training picture'),
      h('div', { class: 'nearest' },
        h('img', { src: this.#address('training', found.place, 512), class: found.isMirrored ? 'is-mirrored' : null, alt: 'The training picture that is nearest', width: 160, height: 160 }),
        h('p', { class: 'muted small' }, `Of ${count}, by 16 × 16 colours, also mirrored: ${found.far.toFixed(0)} of 255 apart on average${found.isMirrored ? '; shown mirrored' : ''}.`)));
  }

  /** @param {number} count */
  async #load(count) {
    const found = await Promise.all(Array.from({ length: count }, async (_, place) => {
      const image = h('img', { src: this.#address('training', place, SMALL), alt: '' });
      await image.decode();
      const pixels = pixelsOf(image, SIDE, SIDE);
      return [{ place, pixels, isMirrored: false }, { place, pixels: mirrored(pixels), isMirrored: true }];
    }));
    return found.flat();
  }

  /** @param {string} text */
  #say(text) {
    fill(this.element, h('p', { class: 'muted' }, text));
  }

  /** @param {Kind} kind @param {number} place @param {number} pixels */
  #address(kind, place, pixels) {
    return `/api/looks/picture?ref=${encodeURIComponent(this.ref)}&kind=${kind}&place=${place}&pixels=${pixels}`;
  }
}

/** @param {Uint8ClampedArray} a @param {Uint8ClampedArray} b */
function distance(a, b) {
  return a.reduce((sum, value, at) => sum + Math.abs(value - (b[at] ?? 0)), 0) / (a.length * 3 / 4);
}

/** @param {Uint8ClampedArray} pixels */
function mirrored(pixels) {
  return pixels.map((_, at) => {
    const [pixel, band] = [Math.floor(at / 4), at % 4];
    const [row, column] = [Math.floor(pixel / SIDE), pixel % SIDE];
    return pixels[4 * (row * SIDE + SIDE - 1 - column) + band] ?? 0;
  });
}
