// SPDX-License-Identifier: Apache-2.0
// Trials between the pairs: some come again with their sides exchanged, and now and then both pictures
// are one. No server knows of them: they tell voters how steady they are. Pure, but for the chance.
// @ts-check

/** @typedef {'a' | 'b' | 'tie' | 'both_bad'} Choice */

const EVERY = 4;
const APART = 3;

/**
 * @template Turn
 */
export class Trials {
  /** Pairs that were voted on. @type {{ turn: Turn, choice: Choice }[]} */
  #past = [];
  /** @type {Set<Turn>} */
  #repeated = new Set();
  /** @type {{ kind: 'again' | 'catch', isSame: boolean }[]} */
  #results = [];
  #given = 0;

  /** @param {() => number} [chance] from 0 to below 1 */
  constructor(chance = Math.random) {
    this.chance = chance;
  }

  /** Notes a vote. @param {Turn} turn @param {Choice} choice */
  note(turn, choice) {
    this.#past.push({ turn, choice });
  }

  /** Forgets the last vote. */
  takeBack() {
    this.#past.pop();
  }

  /** Says what comes now instead of a pair. @returns {{ kind: 'again' | 'catch', turn: Turn, was: Choice } | null} */
  due() {
    if (Math.floor(this.#past.length / EVERY) <= this.#given) return null;
    const free = this.#past.slice(0, -APART).filter((one) => !this.#repeated.has(one.turn));
    const found = free[Math.floor(this.chance() * free.length)];
    if (!found) return null;
    this.#given += 1;
    this.#repeated.add(found.turn);
    return { kind: this.#given % 3 === 2 ? 'catch' : 'again', turn: found.turn, was: found.choice };
  }

  /** Puts a trial off that was due. @param {Turn} turn */
  putOff(turn) {
    this.#given -= 1;
    this.#repeated.delete(turn);
  }

  /**
   * Notes what somebody said to a trial; sides of one that came again are exchanged.
   * @param {{ kind: 'again' | 'catch', was: Choice }} trial @param {Choice} choice
   */
  answer(trial, choice) {
    const exchanged = { a: 'b', b: 'a', tie: 'tie', both_bad: 'both_bad' }[choice];
    const isSame = trial.kind === 'catch' ? choice === 'tie' || choice === 'both_bad' : exchanged === trial.was;
    this.#results.push({ kind: trial.kind, isSame });
  }

  /** Forgets the last answer. */
  takeBackAnswer() {
    this.#results.pop();
  }

  /** Says how steady somebody is, in words; empty: there was no trial. */
  told() {
    const words = [];
    for (const [kind, one] of /** @type {const} */ ([['again', 'came again, and were answered alike'], ['catch', 'had two equal pictures, and were told so']])) {
      const all = this.#results.filter((result) => result.kind === kind);
      if (all.length) words.push(`${all.filter((result) => result.isSame).length} of ${all.length} ${one}`);
    }
    return words.join('; ');
  }
}
