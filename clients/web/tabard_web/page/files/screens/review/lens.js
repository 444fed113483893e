// SPDX-License-Identifier: Apache-2.0
// How closely all pictures of a screen are looked at: one zoom and one place for every frame.
// @ts-check

const STEPS_MAX = 6;

/** Tells `change` when somebody zooms or moves. */
export class Lens extends EventTarget {
  /** Doublings above what fits; `null`: one pixel of the picture is one of the screen. @type {number | null} */
  step = 0;
  /** The place of the picture in the middle, as parts of its size. */
  x = 0.5;
  y = 0.5;

  /** @param {number} by doublings */
  zoom(by) {
    this.step = Math.min(STEPS_MAX, Math.max(0, (this.step ?? 0) + by));
    this.#change();
  }

  fit() {
    Object.assign(this, { step: 0, x: 0.5, y: 0.5 });
    this.#change();
  }

  truePixels() {
    this.step = null;
    this.#change();
  }

  /** @param {number} dx parts of the picture @param {number} dy */
  move(dx, dy) {
    this.x = Math.min(1, Math.max(0, this.x + dx));
    this.y = Math.min(1, Math.max(0, this.y + dy));
    this.#change();
  }

  /**
   * Says how many pixels of the screen a pixel of a picture takes: a whole number from one on, so
   * that all of them are of one size.
   * @param {number} room pixels of the screen for each pixel of the picture, that there is room for
   */
  scale(room) {
    if (this.step === null) return 1;
    const fit = room >= 1 ? Math.floor(room) : room;
    const scale = fit * 2 ** this.step;
    return scale > 1 ? Math.round(scale) : scale;
  }

  #change() {
    this.dispatchEvent(new Event('change'));
  }
}

/** The keys of a lens. @param {Lens} lens @returns {import('../../lib/keys.js').Binding[]} */
export function lensKeys(lens) {
  return [
    { keys: '+', says: 'Closer', act: () => lens.zoom(1) },
    { keys: '-', says: 'Farther', act: () => lens.zoom(-1) },
    { keys: '0', says: 'All of it', act: () => lens.fit() },
    { keys: 'p', says: 'True pixels', act: () => lens.truePixels() },
  ];
}

/** Moves by an arrow with shift; gives whether it was one. @param {Lens} lens @param {KeyboardEvent} event */
export function movedBy(lens, event) {
  const step = 1 / 8;
  const ways = /** @type {Record<string, [number, number]>} */ ({ ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] });
  const way = event.shiftKey ? ways[event.key] : undefined;
  if (way) lens.move(...way);
  return Boolean(way);
}
