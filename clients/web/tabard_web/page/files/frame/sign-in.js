// SPDX-License-Identifier: Apache-2.0
// Where somebody says who they are: a token, once. The browser keeps no token, only the cookie of a
// session, which scripts cannot read.
// @ts-check
import { ApiError, ask } from '../lib/api.js';
import { fill, h } from '../lib/dom.js';

const ASKED_FIRST = ['TOKEN_REQUIRED', 'UNAUTHENTICATED'];

/**
 * @param {ApiError} why what the server said
 * @param {(visitor: any) => void} onDone told who it is
 */
export function signIn(why, onDone) {
  const token = h('input', { id: 'token', type: 'password', autocomplete: 'off', spellcheck: 'false', required: true, 'aria-describedby': 'token-note' });
  const note = h('p', { class: 'form-error', role: 'alert' });
  const button = h('button', { type: 'submit', class: 'primary' }, 'Sign in');
  const form = h('form', { class: 'sign-in', on: { submit } },
    h('h1', null, 'Who are you?'),
    h('p', null, 'This server asks who one is. Paste a token of yours; it is asked for once.'),
    h('p', { class: 'notice' }, why.message, why.hint && !ASKED_FIRST.includes(why.reason) ? `; ${why.hint}` : ''),
    h('label', { for: 'token' }, 'Token'),
    token,
    h('p', { id: 'token-note', class: 'muted' }, 'It stays in the memory of the gateway until you sign out. Your browser does not keep it.'),
    note,
    button,
  );

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    button.disabled = true;
    fill(note);
    try {
      onDone(await ask('session', { method: 'POST', body: { token: token.value.trim() } }));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      fill(note, [error.message, error.hint].filter(Boolean).join('; '));
      token.select();
    } finally {
      button.disabled = false;
    }
  }

  queueMicrotask(() => token.focus());
  return form;
}

/** Ends the session, and begins anew. */
export async function signOut() {
  await ask('session', { method: 'DELETE' });
  location.reload();
}
