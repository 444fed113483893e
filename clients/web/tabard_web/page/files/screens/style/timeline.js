// SPDX-License-Identifier: Apache-2.0
// What was done to a line, by whom, when and why: newest first.
// @ts-check
import { h } from '../../lib/dom.js';
import { ago, moment } from '../../lib/format.js';

/** @typedef {import('../style.js').Act} Act */

const QUIET = new Set(['evidence', 'vote', 'grid', 'references', 'canary_step']);
const TONES = /** @type {Record<string, string>} */ ({
  promote: 'good', publish: 'accent', rollback: 'bad', yank: 'bad', quarantine: 'bad', purge: 'bad', canary: 'warn',
});

/** @param {Act[]} acts @param {boolean} showsAll */
export function timeline(acts, showsAll) {
  const shown = acts.filter((act) => showsAll || !QUIET.has(act.type)).toReversed();
  return h('ol', { class: 'timeline' }, shown.map((act) => h('li', { class: `act ${TONES[act.type] ?? ''} ${act.effective ? '' : 'void'}` },
    h('p', null, h('strong', null, act.actor || 'somebody'), act.on_behalf_of && act.on_behalf_of !== act.actor ? ` (for ${act.on_behalf_of})` : '', ' ', ...told(act)),
    act.reason && h('p', { class: 'reason' }, `“${act.reason}”`),
    !act.effective && h('p', { class: 'muted' }, `without effect${act.note ? `: ${act.note}` : ''}`),
    h('p', { class: 'muted small' },
      h('time', { datetime: act.time, title: moment(act.time) }, ago(act.time)),
      act.proof ? ` · known by ${act.proof}` : '', ` · record ${act.seq}`))));
}

/** @param {Act} act @returns {(string | Node)[]} */
function told(act) {
  const version = h('span', { class: 'mono' }, act.version);
  const previous = act.previous ? h('span', { class: 'mono' }, act.previous) : null;
  switch (act.type) {
    case 'publish': return ['published ', version];
    case 'promote': return ['promoted ', version, ` to ${act.channel}`, ...(previous ? [', in place of ', previous] : [])];
    case 'rollback': return [`rolled ${act.channel} back to `, version, ...(previous ? [' from ', previous] : [])];
    case 'evidence': return ['added evidence on ', version];
    default: return [`${act.type.replaceAll('_', ' ')}${act.channel ? ` of ${act.channel}` : ''} `, version];
  }
}
