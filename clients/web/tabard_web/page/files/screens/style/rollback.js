// SPDX-License-Identifier: Apache-2.0
// A channel goes back to the release before, with a reason: `r`, the reason, Enter.
// @ts-check
import { ApiError, ask, part } from '../../lib/api.js';
import { fill, h } from '../../lib/dom.js';
import { openDialog, toast } from '../../lib/parts.js';

const NAME = 'tabard-actor';

/**
 * Says whether an act moved its channel. A canary does where it ends with one, and says from where.
 * @param {import('../style.js').Act} act
 */
export function moves(act) {
  return act.effective && (['promote', 'rollback'].includes(act.type) || (act.type === 'canary' && act.previous !== ''));
}

/**
 * Says where a channel would go: what its promotions and rollbacks have left below what it serves.
 * @param {import('../style.js').Act[]} acts @param {string} channel
 */
export function targetOf(acts, channel) {
  /** @type {string[]} */
  const served = [];
  for (const act of acts) {
    if (act.channel !== channel || !moves(act)) continue;
    const place = act.type === 'promote' ? -1 : served.lastIndexOf(act.version);
    if (act.type === 'rollback' || place >= 0) served.length = place + 1;
    if (place < 0) served.push(act.version);
  }
  return served.at(-2) ?? '';
}

/**
 * Asks why, then rolls back.
 * @param {string} style @param {import('../style.js').Channel} channel
 * @param {import('../style.js').Act[]} acts @param {() => void} onDone
 */
export async function rollBack(style, channel, acts, onDone) {
  const { is_asked: isAsked } = await ask('session');
  const reason = h('input', { id: 'reason', required: true, autocomplete: 'off', maxlength: 2000, placeholder: 'What people see, in a few words' });
  const actor = h('input', { id: 'actor', autocomplete: 'name', maxlength: 200, required: !isAsked, value: localStorage.getItem(NAME) ?? '' });
  const note = h('p', { class: 'form-error', role: 'alert' });
  const button = h('button', { type: 'submit', class: 'danger solid' }, `Roll ${channel.name} back`);
  const target = targetOf(acts, channel.name);
  const dialog = openDialog(`Roll ${channel.name} of ${style} back`, [
    h('form', { on: { submit } },
      h('p', { class: 'from-to' }, h('span', { class: 'mono' }, channel.version), ' → ', h('strong', { class: 'mono' }, target || 'the release before')),
      h('p', { class: 'muted' }, 'From the next request on, everybody who asks for this channel is served it. Images that are being drawn end as they began.'),
      h('label', { for: 'reason' }, 'Why'), reason,
      !isAsked && h('label', { for: 'actor' }, 'Your name, for the history'), !isAsked && actor,
      note,
      h('div', { class: 'actions' }, h('button', { type: 'button', class: 'plain', on: { click: () => dialog.close() } }, 'Keep it'), button)),
  ]);
  reason.focus();

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    button.disabled = true;
    fill(note);
    try {
      if (!isAsked) localStorage.setItem(NAME, actor.value.trim());
      const move = await ask(`styles/${part(style)}/rollback`, {
        method: 'POST',
        body: { channel: channel.name, reason: reason.value.trim(), expect: channel.version, actor: isAsked ? '' : actor.value.trim() },
      });
      dialog.close();
      toast(`${move.channel} serves ${move.version} again`);
      onDone();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      fill(note, [error.message, error.hint].filter(Boolean).join('; '));
      button.disabled = false;
    }
  }
}
