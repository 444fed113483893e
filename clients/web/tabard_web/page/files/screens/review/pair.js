// SPDX-License-Identifier: Apache-2.0
// Two pictures of one size, compared: one in the place of the other, side by side, with a slider, or
// by where they differ. Both are there before either is shown, so nothing is ever blank.
// @ts-check
import { fill, h } from '../../lib/dom.js';
import { pictureFrame, sizeOf } from './frame.js';

/** @typedef {'flicker' | 'side' | 'slider' | 'heat'} View */
/** @typedef {0 | 1} Side */

/** @type {[View, string][]} */
export const VIEWS = [['flicker', 'Flicker'], ['side', 'Side by side'], ['slider', 'Slider'], ['heat', 'Differences']];

export class PairView {
  element = h('div', { class: 'pair' });
  #drawn = new AbortController();
  #cut = 50;

  /**
   * @param {import('./lens.js').Lens} lens
   * @param {[HTMLImageElement, HTMLImageElement]} images loaded, or about to be
   * @param {[string, string]} names what each is called
   */
  constructor(lens, images, names) {
    this.lens = lens;
    this.images = images;
    this.names = names;
  }

  /** @param {View} view @param {Side} side the one that is shown, or marked */
  show(view, side) {
    const isSame = this.element.dataset.view === view;
    this.element.dataset.view = view;
    this.element.dataset.side = String(side);
    if (!isSame) this.#build(view);
    this.images.forEach((image, at) => image.classList.toggle('is-under', view === 'flicker' && at !== side));
    const tags = /** @type {NodeListOf<HTMLElement>} */ (this.element.querySelectorAll('.side-tag'));
    if (view === 'flicker' && tags[0]) tags[0].textContent = this.names[side];
    tags.forEach((tag, at) => tag.classList.toggle('is-marked', view === 'flicker' || (tags.length > 1 && at === side)));
  }

  /** Lets go of what it listens to. */
  end() {
    this.#drawn.abort();
  }

  /** @param {View} view */
  #build(view) {
    this.#drawn.abort();
    this.#drawn = new AbortController();
    const signal = this.#drawn.signal;
    const [first, second] = this.images;
    second.classList.toggle('is-cut', view === 'slider');
    if (view === 'side') {
      fill(this.element, this.images.map((image, at) => h('div', { class: 'half' },
        pictureFrame(this.lens, [image], signal), tag(this.names[at] ?? ''))));
    } else if (view === 'slider') {
      const frame = pictureFrame(this.lens, [first, second], signal);
      const slider = h('input', {
        type: 'range', min: 0, max: 100, value: this.#cut, class: 'cut', 'aria-label': `How much of ${this.names[0]} is shown`,
        on: { input: () => this.#cutAt(frame, Number(slider.value)) },
      });
      frame.append(h('span', { class: 'cut-line', 'aria-hidden': 'true' }));
      fill(this.element, frame, tag(this.names[0]), tag(this.names[1]), slider);
      this.#cutAt(frame, this.#cut);
    } else if (view === 'heat') {
      const heat = h('canvas', { width: 1, height: 1 });
      const note = h('p', { class: 'heat-note' });
      fill(this.element, pictureFrame(this.lens, [heat], signal, 'Where the pictures differ'), note);
      const draw = () => {
        if (!this.images.every((one) => one.complete && one.naturalWidth)) return;
        note.textContent = drawHeat(heat, first, second);
        heat.dispatchEvent(new Event('load'));
      };
      for (const one of this.images) one.addEventListener('load', draw, { signal });
      draw();
    } else {
      fill(this.element, pictureFrame(this.lens, this.images, signal), tag(''));
    }
  }

  /** @param {HTMLElement} frame @param {number} cut */
  #cutAt(frame, cut) {
    this.#cut = cut;
    frame.style.setProperty('--cut', String(cut / 100));
  }
}

/** @param {string} text */
function tag(text) {
  return h('span', { class: 'side-tag' }, text);
}

/**
 * Draws where two pictures differ, and says by how much.
 * @param {HTMLCanvasElement} canvas @param {HTMLImageElement} first @param {HTMLImageElement} second
 */
function drawHeat(canvas, first, second) {
  const [width, height] = sizeOf(first);
  const [a, b] = [pixelsOf(first, width, height), pixelsOf(second, width, height)];
  const heat = new ImageData(width, height);
  let sum = 0;
  let differ = 0;
  for (let at = 0; at < a.length; at += 4) {
    const most = Math.max(...[0, 1, 2].map((band) => Math.abs((a[at + band] ?? 0) - (b[at + band] ?? 0))));
    sum += most;
    differ += Number(most > 0);
    heat.data.set(colour(most / 255), at);
  }
  canvas.width = width;
  canvas.height = height;
  canvas.getContext('2d')?.putImageData(heat, 0, 0);
  const count = a.length / 4;
  return `${Math.round(100 * differ / count)} % of pixels differ, by ${(sum / count).toFixed(1)} of 255 on average`;
}

/** @param {HTMLImageElement} image @param {number} width @param {number} height */
export function pixelsOf(image, width, height) {
  const context = h('canvas', { width, height }).getContext('2d', { willReadFrequently: true });
  context?.drawImage(image, 0, 0, width, height);
  return context?.getImageData(0, 0, width, height).data ?? new Uint8ClampedArray();
}

/** From black over red and yellow to white. @param {number} share @returns {[number, number, number, number]} */
function colour(share) {
  const warm = Math.sqrt(share) * 3;
  return [255 * Math.min(1, warm), 255 * Math.min(1, Math.max(0, warm - 1)), 255 * Math.min(1, Math.max(0, warm - 2)), 255];
}
