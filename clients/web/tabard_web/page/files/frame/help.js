// SPDX-License-Identifier: Apache-2.0
// The help: every key that acts now, and the switch for single ones.
// @ts-check
import { h } from '../lib/dom.js';
import { areOn, bindings, setOn } from '../lib/keys.js';
import { key, openDialog } from '../lib/parts.js';

/** Shows the help. */
export function openHelp() {
  const toggle = h('input', {
    type: 'checkbox', checked: areOn(),
    on: { change: (/** @type {Event} */ event) => setOn(/** @type {HTMLInputElement} */ (event.target).checked) },
  });
  openDialog('Keys', [
    ...bindings().reverse().map(([group, all]) => h('section', null,
      h('h3', null, group),
      h('dl', { class: 'keys' }, all.flatMap((one) => [
        h('dt', null, one.keys.split(' ').map((name) => key(shown(name)))),
        h('dd', null, one.says),
      ])))),
    h('label', { class: 'switch' }, toggle, h('span', null, 'Single keys act')),
  ], { name: 'help' });
}

/** @param {string} name as events have it */
function shown(name) {
  /** @type {Record<string, string>} */
  const signs = { ArrowLeft: '←', ArrowRight: '→', ArrowUp: '↑', ArrowDown: '↓', Enter: '⏎', Escape: 'Esc' };
  return signs[name] ?? name;
}
