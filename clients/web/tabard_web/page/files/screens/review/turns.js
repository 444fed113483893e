// SPDX-License-Identifier: Apache-2.0
// Blind pairs of one release, as the server gives them: the next one, its pictures, and votes. A vote
// is kept back until the next one is made, so that it can be taken back: what is stored is final.
// @ts-check
import { ApiError, ask, askFile } from '../../lib/api.js';

/** @typedef {import('./trials.js').Choice} Choice */
/** @typedef {{ pair: string, prompt: string, negative_prompt: string, seed: number, images: [HTMLImageElement, HTMLImageElement] }} Turn */
/** @typedef {{ turn: Turn, choice: Choice, labels: [Set<string>, Set<string>], note: string }} Kept */

const SIDES = /** @type {const} */ (['a', 'b']);

export class Turns {
  pairCount = 0;
  votedCount = 0;
  /** A vote that is not stored yet. @type {Kept | null} */
  kept = null;
  /** Given, and not voted on: taken back, or asked for ahead. @type {Turn[]} */
  #ready = [];
  /** @type {Promise<Turn | null> | null} */
  #ahead = null;
  #isOver = false;

  /** @param {string} ref @param {string} actor @param {AbortSignal} signal */
  constructor(ref, actor, signal) {
    this.ref = ref;
    this.actor = actor;
    this.signal = signal;
  }

  /** Gives the next pair with its pictures, ready to be shown; null: there is none. */
  async next() {
    const ready = this.#ready.shift();
    const turn = ready ?? await (this.#ahead ?? this.#ask([]));
    if (!ready) this.#ahead = null;
    this.#look(turn);
    return turn;
  }

  /** Keeps a vote back, and stores the one before it. @param {Kept} vote */
  async keep(vote) {
    await this.store();
    this.kept = vote;
  }

  /** Stores the vote that is kept back, if there is one. Throws ApiError: it is kept still. */
  async store() {
    const vote = this.kept;
    if (!vote) return;
    this.kept = null;
    try {
      const told = await ask('pairs/vote', { method: 'POST', body: this.#body(vote) });
      this.pairCount = told.pair_count;
      this.votedCount = told.voted_count;
    } catch (error) {
      // A vote that is stored already, or of a pair that is gone, is not said again.
      if (!(error instanceof ApiError) || !['VOTE_UNBLINDED', 'PAIR_NOT_FOUND'].includes(error.reason)) this.kept = vote;
      throw error;
    }
  }

  /** Sends what is kept back when the page is left; nobody waits for it. */
  leave() {
    const vote = this.kept;
    this.kept = null;
    if (!vote) return;
    fetch('/api/pairs/vote', {
      method: 'POST', keepalive: true, body: JSON.stringify(this.#body(vote)),
      headers: { 'X-Tabard-Page': '1', 'Content-Type': 'application/json' },
    }).catch(() => {});
  }

  /** Takes the vote that is kept back; `shown` waits meanwhile. @param {Turn | null} shown */
  takeBack(shown) {
    const vote = this.kept;
    this.kept = null;
    if (vote) this.putBack(shown);
    return vote;
  }

  /** Has a pair wait that was not voted on. @param {Turn | null} shown */
  putBack(shown) {
    if (shown) this.#ready.unshift(shown);
  }

  /** @param {Kept} vote */
  #body({ turn, choice, labels, note }) {
    return {
      ref: this.ref, pair: turn.pair, choice, note, actor: this.actor,
      labels_a: [...labels[0]], labels_b: [...labels[1]],
    };
  }

  /** Asks for what comes after the pairs at hand. @param {Turn | null} shown */
  #look(shown) {
    if (this.#ahead || this.#ready.length || this.#isOver || !shown) return;
    const held = [shown.pair, ...(this.kept ? [this.kept.turn.pair] : [])];
    this.#ahead = this.#ask(held);
    // What fails now is asked for again when its time has come.
    this.#ahead.catch(() => { this.#ahead = null; });
  }

  /** @param {string[]} held @returns {Promise<Turn | null>} */
  async #ask(held) {
    const at = new URLSearchParams([['ref', this.ref], ['actor', this.actor]]);
    const more = this.kept && !held.includes(this.kept.turn.pair) ? [this.kept.turn.pair] : [];
    const told = await ask(`pairs/next?${new URLSearchParams([...at, ...[...held, ...more].map((one) => ['held', one])])}`, { signal: this.signal });
    if (!told.pair) {
      this.#isOver = true;
      return null;
    }
    this.pairCount = told.pair_count;
    this.votedCount = Math.max(this.votedCount, told.voted_count);
    const [a, b] = await Promise.all(SIDES.map((side) => this.#picture(`pairs/picture?${at}&pair=${told.pair}&side=${side}`)));
    return { ...told, images: [a, b] };
  }

  /** @param {string} path */
  async #picture(path) {
    const file = await askFile(path, { signal: this.signal });
    const image = new Image();
    image.alt = '';
    image.src = URL.createObjectURL(file);
    this.signal.addEventListener('abort', () => URL.revokeObjectURL(image.src));
    await image.decode();
    return image;
  }
}
