// SPDX-License-Identifier: Apache-2.0
// What was done to a line, by whom, when and why: newest first.
// @ts-check
import { h } from '../../lib/dom.js';
import { ago, moment } from '../../lib/format.js';

/** @typedef {import('../style.js').Act} Act */

/** Whose acts a server's own are. */
const SERVER = 'tabard-server';
const QUIET = new Set(['evidence', 'vote', 'grid', 'references', 'canary_step']);
const TONES = /** @type {Record<string, string>} */ ({
  promote: 'good', publish: 'accent', rollback: 'bad', yank: 'bad', quarantine: 'bad', purge: 'bad', canary: 'warn',
});

/** What a canary saw is a record of its own, many times an hour; what it did is not. @param {Act} act */
const isQuiet = (act) => QUIET.has(act.type) || (act.type === 'canary' && act.actor === SERVER && !act.previous && !act.reason);

/** @param {Act[]} acts @param {boolean} showsAll */
export function timeline(acts, showsAll) {
  const shown = acts.filter((act) => showsAll || !isQuiet(act)).toReversed();
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
    case 'canary': return previous
      ? [`moved ${act.channel} to `, version, ' from ', previous, ', by its canary']
      : [act.actor === SERVER ? 'watched ' : 'began a canary of ', version, ` for ${act.channel}`];
    case 'evidence': return ['added evidence on ', version];
    default: return [`${act.type.replaceAll('_', ' ')}${act.channel ? ` of ${act.channel}` : ''} `, version];
  }
}
