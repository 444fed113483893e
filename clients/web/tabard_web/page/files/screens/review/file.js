// SPDX-License-Identifier: Apache-2.0
// The dialog in which somebody keeps a review in the evidence, as it stands; and those that were kept.
// @ts-check
import { ApiError, ask } from '../../lib/api.js';
import { fill, h } from '../../lib/dom.js';
import { ago } from '../../lib/format.js';
import { openDialog, toast } from '../../lib/parts.js';

const NAME = 'tabard-actor';

/** @typedef {{ evidence: string, actor: string, time: string }} Filed */

/** @param {{ ref: string, onDone: () => void }} said */
export async function fileReview({ ref, onDone }) {
  const { is_asked: isAsked } = await ask('session');
  const actor = h('input', { id: 'actor', autocomplete: 'name', maxlength: 200, required: !isAsked, value: localStorage.getItem(NAME) ?? '' });
  const failed = h('p', { class: 'form-error', role: 'alert' });
  const button = h('button', { type: 'submit', class: 'primary' }, 'File');
  const dialog = openDialog(`File the review of ${ref}`, [
    h('form', { on: { submit } },
      h('p', { class: 'muted' }, 'The report, its pictures, reviews and votes are kept beside the release as they stand now, until it is purged. Whoever may use the release may read it; who has read it votes blind no more.'),
      !isAsked && h('label', { for: 'actor' }, 'Your name, for the history'), !isAsked && actor,
      failed,
      h('div', { class: 'actions' }, h('button', { type: 'button', class: 'plain', on: { click: () => dialog.close() } }, 'Not yet'), button)),
  ]);
  button.focus();

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    button.disabled = true;
    fill(failed);
    try {
      if (!isAsked) localStorage.setItem(NAME, actor.value.trim());
      const told = await ask('review/filed', { method: 'POST', body: { ref, actor: isAsked ? '' : actor.value.trim() } });
      dialog.close();
      toast(told.created ? 'The review is filed' : 'It was filed before, and nothing was said since');
      onDone();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      fill(failed, [error.message, error.hint].filter(Boolean).join('; '));
      button.disabled = false;
    }
  }
}

/** Reviews that were filed, as files to have. @param {string} ref @param {Filed[]} filed */
export function filedReviews(ref, filed) {
  return filed.length > 0 && h('p', { class: 'filed' }, 'Filed: ', filed.flatMap((one, index) => [
    index ? ' · ' : '', h('a', { href: filedAddress(ref, one.evidence), download: '' }, ago(one.time)), h('span', { class: 'muted' }, ` by ${one.actor}`),
  ]));
}

/** Where a review is that was filed. @param {string} ref @param {string} evidence */
export function filedAddress(ref, evidence) {
  return `/api/review/export?ref=${encodeURIComponent(ref)}&evidence=${encodeURIComponent(evidence)}`;
}
