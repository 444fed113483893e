// SPDX-License-Identifier: Apache-2.0
// A frame in which pictures lie one above the other, placed by a lens, to the pixel of the screen.
// @ts-check
import { h } from '../../lib/dom.js';

/** @typedef {import('./lens.js').Lens} Lens */
/** @typedef {HTMLImageElement | HTMLCanvasElement} Layer */

/**
 * @param {Lens} lens
 * @param {Layer[]} layers pictures of one size
 * @param {AbortSignal} signal
 * @param {string} [name] what is in it
 */
export function pictureFrame(lens, layers, signal, name = '') {
  const frame = h('div', { class: 'picture-frame', role: name ? 'img' : null, 'aria-label': name || null }, layers);

  function place() {
    // Either may come first.
    const [width, height] = layers.map(sizeOf).find((size) => size[0] && size[1]) ?? [0, 0];
    if (!width || !frame.clientWidth) return;
    const dots = devicePixelRatio || 1;
    const scale = lens.scale(Math.min(frame.clientWidth * dots / width, frame.clientHeight * dots / height));
    const [wide, high] = [width * scale / dots, height * scale / dots];
    const left = offset(frame.clientWidth, wide, lens.x, dots);
    const top = offset(frame.clientHeight, high, lens.y, dots);
    frame.classList.toggle('is-smooth', scale < 1);
    for (const one of layers) {
      one.style.setProperty('width', `${wide}px`);
      one.style.setProperty('height', `${high}px`);
      one.style.setProperty('translate', `${left}px ${top}px`);
    }
    frame.style.setProperty('--left', `${Math.max(0, left)}px`);
    frame.style.setProperty('--wide', `${Math.min(frame.clientWidth, wide)}px`);
  }

  const sizes = new ResizeObserver(place);
  sizes.observe(frame);
  for (const one of layers) one.addEventListener('load', place, { signal });
  lens.addEventListener('change', place, { signal });
  signal.addEventListener('abort', () => sizes.disconnect());
  frame.addEventListener('wheel', (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    lens.zoom(event.deltaY < 0 ? 1 : -1);
  }, { signal, passive: false });
  drag(frame, lens, () => layers[0]?.getBoundingClientRect(), signal);
  return frame;
}

/** @param {Layer} layer @returns {[number, number]} */
export function sizeOf(layer) {
  return layer instanceof HTMLImageElement ? [layer.naturalWidth, layer.naturalHeight] : [layer.width, layer.height];
}

/** @param {number} room @param {number} length @param {number} at @param {number} dots */
function offset(room, length, at, dots) {
  const free = length <= room ? (room - length) / 2 : Math.min(0, Math.max(room - length, room / 2 - at * length));
  return Math.round(free * dots) / dots;
}

/**
 * @param {HTMLElement} frame @param {Lens} lens
 * @param {() => DOMRect | undefined} shown @param {AbortSignal} signal
 */
function drag(frame, lens, shown, signal) {
  frame.addEventListener('pointerdown', (event) => {
    const box = shown();
    if (!box || event.button !== 0 || (box.width <= frame.clientWidth + 1 && box.height <= frame.clientHeight + 1)) return;
    event.preventDefault();
    frame.setPointerCapture(event.pointerId);
    const ended = new AbortController();
    frame.addEventListener('pointermove', (move) => lens.move(-move.movementX / box.width, -move.movementY / box.height), { signal: ended.signal });
    for (const name of ['pointerup', 'pointercancel']) frame.addEventListener(name, () => ended.abort(), { signal: ended.signal });
  }, { signal });
}
