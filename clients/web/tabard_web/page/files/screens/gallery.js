// SPDX-License-Identifier: Apache-2.0
// Every release line with a picture: search as you type, words to copy, arrows to move.
// @ts-check
import { ApiError, ask, askFile } from '../lib/api.js';
import { fill, h } from '../lib/dom.js';
import { counted } from '../lib/format.js';
import { chip, copyable, icon, toast } from '../lib/parts.js';
import { Screen } from '../lib/screen.js';

/**
 * @typedef {object} StyleCard
 * @property {string} name
 * @property {string} title
 * @property {string} kind
 * @property {string} purpose
 * @property {string} shown
 * @property {string} digest
 * @property {string} state
 * @property {string[]} trigger_words
 * @property {{ name: string, version: string }[]} channels
 * @property {number} release_count
 * @property {string} changed_at
 */
/** @typedef {{ name: string, snippet: string, found_in: string[] }} Hit */

export const KINDS = /** @type {Record<string, string>} */ ({
  lora: 'LoRA', textual_inversion: 'Word', dreambooth: 'DreamBooth', recipe: 'Recipe',
});
const TYPED_MS = 180;

class Gallery extends Screen {
  /** @type {StyleCard[]} */
  #styles = [];
  /** What the server finds in notes and the like, by name. @type {Map<string, Hit>} */
  #hits = new Map();
  #kind = '';
  #asking = 0;
  /** Cards by line and what they say, so that a picture is not loaded again. @type {Map<string, HTMLElement>} */
  #cards = new Map();

  #search = h('input', {
    type: 'search', id: 'search', placeholder: 'Search names, words, notes', autocomplete: 'off', spellcheck: 'false',
    on: { input: () => this.#typed(), keydown: (/** @type {KeyboardEvent} */ event) => this.#leaveSearch(event) },
  });
  #kinds = h('div', { class: 'kinds', role: 'group', 'aria-label': 'Kind' });
  #count = h('p', { class: 'muted count', role: 'status' });
  #grid = h('ul', { class: 'cards', on: { keydown: (/** @type {KeyboardEvent} */ event) => this.#move(event) } });
  #frame = [
    h('div', { class: 'gallery-head' }, h('h1', null, 'Gallery'), this.#count),
    h('div', { class: 'gallery-tools' },
      h('div', { class: 'search' }, icon('search'), h('label', { class: 'visually-hidden', for: 'search' }, 'Search'), this.#search), this.#kinds),
    this.#grid,
  ];

  keys() {
    return [
      { keys: '/', says: 'Search', act: () => this.#search.focus() },
      { keys: 'ArrowDown', says: 'To the first style', act: () => this.#focusCard(0) },
    ];
  }

  async load() {
    this.#styles = await ask('styles', { signal: this.signal });
    if (!this.#grid.isConnected) {
      this.#search.value = this.query.get('q') ?? '';
      fill(this, this.#frame);
      if (this.#search.value) this.#typed();
    }
    this.#draw();
  }

  #draw() {
    const words = this.#search.value.trim().toLowerCase();
    const all = this.#styles.filter((one) => matches(one, words) || (words && this.#hits.has(one.name)));
    const shown = all.filter((one) => !this.#kind || one.kind === this.#kind);
    this.#drawKinds(all);
    fill(this.#count, counted(shown.length, 'style'));
    if (!this.#styles.length) {
      fill(this.#grid, h('li', { class: 'empty' }, 'Nothing is published yet. ', h('code', { class: 'mono' }, 'tabard publish FILE NAME --version 1.0.0')));
    } else if (!shown.length) {
      fill(this.#grid, h('li', { class: 'empty' }, `No style has “${this.#search.value.trim()}”.`));
    } else {
      fill(this.#grid, shown.map((one) => this.#card(one)));
    }
  }

  /** @param {StyleCard[]} all */
  #drawKinds(all) {
    const kinds = [...new Set(this.#styles.map((one) => one.kind))].sort();
    fill(this.#kinds, kinds.length > 1 && ['', ...kinds].map((kind) => {
      const count = kind ? all.filter((one) => one.kind === kind).length : all.length;
      return h('button', { type: 'button', class: 'kind', 'aria-pressed': String(kind === this.#kind), on: { click: () => { this.#kind = kind; this.#draw(); } } },
        kind ? KINDS[kind] ?? kind : 'All', h('span', { class: 'tally' }, count));
    }));
  }

  /** @param {StyleCard} style */
  #card(style) {
    const hit = this.#hits.get(style.name);
    const said = JSON.stringify([style, hit?.snippet]);
    const made = this.#cards.get(style.name);
    if (made?.dataset.said === said) return made;
    const card = h('li', { class: 'card', 'data-said': said },
      cover(style, this.signal),
      h('div', { class: 'card-text' },
        h('h2', null, h('a', { class: 'card-link', href: `#/styles/${style.name}` }, style.title || style.name.split('/')[1])),
        h('p', { class: 'mono muted card-name' }, style.name),
        hit?.snippet && h('p', { class: 'snippet' }, hit.snippet),
        h('p', { class: 'chips' },
          style.state !== 'live' && chip(style.state, 'bad'),
          chip(KINDS[style.kind] ?? style.kind),
          style.channels.map((one) => chip(`${one.name} ${one.version}`, one.name === 'stable' ? 'accent' : '')),
          !style.channels.length && chip(`${style.shown} in no channel`, 'warn')),
        h('div', { class: 'chips' }, style.trigger_words.map((word) => copyable(word, 'trigger words')))));
    this.#cards.set(style.name, card);
    return card;
  }

  /** Filters at once by what is here, and asks the server for what stands in notes. */
  async #typed() {
    clearTimeout(this.#asking);
    const words = this.#search.value.trim();
    this.#hits = new Map();
    history.replaceState(null, '', words ? `#/?q=${encodeURIComponent(words)}` : '#/');
    this.#draw();
    if (!words) return;
    this.#asking = window.setTimeout(async () => {
      try {
        /** @type {Hit[]} */
        const found = await ask(`search?words=${encodeURIComponent(words)}`, { signal: this.signal });
        if (this.#search.value.trim() !== words) return;
        this.#hits = new Map(found.map((hit) => [hit.name, hit]));
        this.#draw();
      } catch (error) {
        // What cannot be searched for is filtered by name all the same.
        if (!(error instanceof ApiError) && !this.signal.aborted) throw error;
      }
    }, TYPED_MS);
  }

  /** @param {KeyboardEvent} event */
  #leaveSearch(event) {
    if (event.key === 'Escape') {
      this.#search.value = '';
      this.#typed();
      this.#search.blur();
    } else if (event.key === 'ArrowDown' || event.key === 'Enter') {
      event.preventDefault();
      this.#focusCard(0);
    }
  }

  /** @param {KeyboardEvent} event */
  #move(event) {
    const links = this.#links();
    const now = links.findIndex((link) => link.closest('.card')?.contains(document.activeElement));
    if (now < 0) return;
    const steps = /** @type {Record<string, number>} */ ({ ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.#columns(), ArrowDown: this.#columns() });
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    if (now + step < 0) this.#search.focus();
    else this.#focusCard(Math.min(now + step, links.length - 1));
  }

  #links() {
    return /** @type {HTMLElement[]} */ ([...this.#grid.querySelectorAll('.card-link')]);
  }

  /** @param {number} index */
  #focusCard(index) {
    this.#links()[index]?.focus();
  }

  #columns() {
    return getComputedStyle(this.#grid).gridTemplateColumns.split(' ').length;
  }
}

/** @param {StyleCard} style @param {string} words */
function matches(style, words) {
  const text = [style.name, style.title, style.kind, ...style.trigger_words].join(' ').toLowerCase();
  return words.split(/\s+/).every((word) => text.includes(word));
}

/**
 * The picture of a line; where there is none, a button that has one drawn.
 * @param {{ name: string, shown: string, state: string }} style @param {AbortSignal} signal
 */
export function cover(style, signal) {
  const ref = `${style.name}@${style.shown}`;
  const frame = h('div', { class: 'cover' });
  const image = h('img', {
    src: `/api/cover?ref=${encodeURIComponent(ref)}`, alt: '', loading: 'lazy', decoding: 'async', width: 384, height: 384,
    on: { error: () => fill(frame, style.state === 'live' ? missing() : h('p', { class: 'muted' }, style.state)) },
  });
  fill(frame, image);

  function missing() {
    const button = h('button', { type: 'button', class: 'plain', on: { click: draw } }, icon('picture'), 'Draw a picture');
    button.setAttribute('aria-label', `Draw a picture of ${style.name}`);

    async function draw() {
      button.disabled = true;
      button.lastChild?.replaceWith('Drawing …');
      try {
        const address = URL.createObjectURL(await askFile('cover', { method: 'POST', body: { ref }, signal }));
        fill(frame, h('img', { src: address, alt: '', width: 384, height: 384, on: { load: () => URL.revokeObjectURL(address) } }));
      } catch (error) {
        if (!(error instanceof ApiError)) return;
        toast([error.message, error.hint].filter(Boolean).join('; '), 'bad');
        button.disabled = false;
        button.lastChild?.replaceWith('Draw a picture');
      }
    }
    return button;
  }
  return frame;
}

customElements.define('tabard-gallery', Gallery);
