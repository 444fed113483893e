// SPDX-License-Identifier: Apache-2.0
// What every screen is: an element that asks, draws, and asks again when something has happened
// that concerns it. What it had begun ends when it is left.
// @ts-check
import { ApiError } from './api.js';
import { fill } from './dom.js';
import { bind } from './keys.js';
import { live } from './live.js';
import { failureNote, toast } from './parts.js';

const CALM_MS = 150;

export class Screen extends HTMLElement {
  /** What its address says, in the order of the pattern. @type {string[]} */
  params = [];
  /** What its address says behind `?`. */
  query = new URLSearchParams();

  #gone = new AbortController();
  #isDrawn = false;
  #again = 0;

  /** Ends when the screen is left. */
  get signal() {
    return this.#gone.signal;
  }

  /** Asks for what it shows, and shows it; called again whenever that may be otherwise. */
  async load() {}

  /** Says whether a record concerns it. @param {import('./live.js').Record_} _record */
  concerns(_record) {
    return true;
  }

  /** Its keys, told in the help. @returns {import('./keys.js').Binding[]} */
  keys() {
    return [];
  }

  connectedCallback() {
    const signal = this.#gone.signal;
    live.addEventListener('record', (event) => {
      if (this.concerns(/** @type {CustomEvent} */ (event).detail)) this.reload();
    }, { signal });
    live.addEventListener('changed', () => this.reload(), { signal });
    bind('This screen', this.keys());
    this.#load();
  }

  disconnectedCallback() {
    this.#gone.abort();
    clearTimeout(this.#again);
    bind('This screen', []);
  }

  /** Loads again soon, once for all that happens until then. */
  reload() {
    clearTimeout(this.#again);
    this.#again = window.setTimeout(() => this.#load(), CALM_MS);
  }

  async #load() {
    this.setAttribute('aria-busy', 'true');
    const place = this.#placeOfFocus();
    try {
      await this.load();
      this.#isDrawn = true;
      if (place && document.activeElement === document.body) this.#focus(place);
    } catch (error) {
      if (this.signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      if (this.#isDrawn) toast(error.message, 'bad');
      else fill(this, failureNote(error, () => this.#load()));
    } finally {
      this.removeAttribute('aria-busy');
    }
  }

  /** Where somebody is at their keys: by id, by where a link leads, else by the how-manieth it is. */
  #placeOfFocus() {
    const focused = document.activeElement;
    if (!focused || focused === this || !this.contains(focused)) return null;
    return {
      id: focused.id, href: focused.getAttribute('href') ?? '', tag: focused.tagName,
      index: [...this.querySelectorAll(focused.tagName)].indexOf(focused),
    };
  }

  /**
   * Leaves whoever is at their keys where they were, though all is drawn anew.
   * @param {{ id: string, href: string, tag: string, index: number }} place
   */
  #focus({ id, href, tag, index }) {
    const all = [...this.querySelectorAll(tag)];
    const there = all[index];
    const isSame = there?.getAttribute('href') === (href || null);
    const found = id ? document.getElementById(id)
      : (isSame && there) || all.find((one) => one.getAttribute('href') === href) || there;
    if (found instanceof HTMLElement) found.focus({ preventScroll: true });
  }
}
