// SPDX-License-Identifier: Apache-2.0
// Keys of the page and of the screen that is shown. One character acts only where nobody types, and
// only as long as somebody has not switched that off.
// @ts-check

/** @typedef {{ keys: string, says: string, act: (event: KeyboardEvent) => void }} Binding */

const SWITCH = 'tabard-keys';
const TYPED = 'input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]';

/** @type {Map<string, Binding[]>} */
const groups = new Map();
let first = '';

/**
 * Gives a group of keys its meaning, in place of what the group had.
 * @param {string} group as the help names it
 * @param {Binding[]} bindings keys as `KeyboardEvent.key` has them; two in a row by a blank.
 */
export function bind(group, bindings) {
  if (bindings.length) groups.set(group, bindings);
  else groups.delete(group);
}

/** All groups, for the help. @returns {[string, Binding[]][]} */
export function bindings() {
  return [...groups];
}

/** Whether single characters act. */
export function areOn() {
  return localStorage.getItem(SWITCH) !== 'off';
}

/** @param {boolean} isOn */
export function setOn(isOn) {
  localStorage.setItem(SWITCH, isOn ? 'on' : 'off');
}

addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.target instanceof Element && event.target.closest(TYPED)) return;
  if (event.key.length === 1 && !areOn()) return;
  // A dialog has its own keys; those of the screen behind it rest.
  if (document.querySelector('dialog[open]')) return;
  const said = first ? `${first} ${event.key}` : event.key;
  const all = [...groups.values()].flat();
  const found = all.find((one) => one.keys === said);
  first = !found && !first && all.some((one) => one.keys.startsWith(`${event.key} `)) ? event.key : '';
  if (found) {
    event.preventDefault();
    found.act(event);
  }
});
