// SPDX-License-Identifier: Apache-2.0
// The dialog in which somebody approves of a release, or rejects it.
// @ts-check
import { ApiError, ask } from '../../lib/api.js';
import { fill, h } from '../../lib/dom.js';
import { openDialog, toast } from '../../lib/parts.js';

const NAME = 'tabard-actor';

/**
 * @param {{ ref: string, decision: 'approve' | 'reject', report: string, steady: string, onDone: () => void }} said
 */
export async function decide({ ref, decision, report, steady, onDone }) {
  const { is_asked: isAsked } = await ask('session');
  const note = h('textarea', { id: 'review-note', required: true, maxlength: 2000 });
  const actor = h('input', { id: 'actor', autocomplete: 'name', maxlength: 200, required: !isAsked, value: localStorage.getItem(NAME) ?? '' });
  const isTold = h('input', { type: 'checkbox', checked: Boolean(steady) });
  const failed = h('p', { class: 'form-error', role: 'alert' });
  const isGood = decision === 'approve';
  const button = h('button', { type: 'submit', class: isGood ? 'primary' : 'danger solid' }, isGood ? 'Approve' : 'Reject');
  const dialog = openDialog(`${isGood ? 'Approve of' : 'Reject'} ${ref}`, [
    h('form', { on: { submit } },
      h('p', { class: 'muted' }, isGood ? 'Channels that ask for reviews count it, until there is a newer report.' : 'No channel that asks for reviews takes it, until you say otherwise or there is a newer report.'),
      h('label', { for: 'review-note' }, 'Why'), note,
      steady && h('label', { class: 'switch' }, isTold, h('span', null, 'Add how steady you were')),
      !isAsked && h('label', { for: 'actor' }, 'Your name, for the history'), !isAsked && actor,
      failed,
      h('div', { class: 'actions' }, h('button', { type: 'button', class: 'plain', on: { click: () => dialog.close() } }, 'Not yet'), button)),
  ]);
  note.focus();

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    button.disabled = true;
    fill(failed);
    const words = [note.value.trim(), steady && isTold.checked ? `Blind trials: ${steady}.` : ''].filter(Boolean).join('\n');
    try {
      if (!isAsked) localStorage.setItem(NAME, actor.value.trim());
      const told = await ask('review', { method: 'POST', body: { ref, decision, report, note: words, actor: isAsked ? '' : actor.value.trim() } });
      dialog.close();
      toast(told.changed ? `You ${isGood ? 'approve of' : 'reject'} ${ref}` : 'That stood so already');
      onDone();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      fill(failed, [error.message, error.hint].filter(Boolean).join('; '));
      button.disabled = false;
    }
  }
}
