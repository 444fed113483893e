// SPDX-License-Identifier: Apache-2.0
// Small parts that screens share: chips, texts to copy, failures, notes that pass, dialogs.
// @ts-check
import { ApiError } from './api.js';
import { h, svg } from './dom.js';

/** @param {string} text @param {string} [tone] `good`, `bad`, `warn`, `accent` @param {string} [title] */
export function chip(text, tone = '', title = '') {
  return h('span', { class: `chip ${tone}`, title: title || null }, text);
}

/** A text that a click copies. @param {string} text @param {string} [label] what it is */
export function copyable(text, label = 'text') {
  const button = h('button', {
    class: 'copy', type: 'button', title: `Copy ${label}`,
    on: {
      click: async (/** @type {Event} */ event) => {
        event.preventDefault();
        event.stopPropagation();
        await copy(text);
        toast(`Copied: ${text}`);
      },
    },
  }, h('span', { class: 'copy-text' }, text), icon('copy'));
  button.setAttribute('aria-label', `Copy ${label} ${text}`);
  return button;
}

/** @param {string} text */
async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Over plain HTTP browsers have no clipboard for pages; the old way still works.
  const area = h('textarea', { class: 'off-screen', value: text });
  document.body.append(area);
  area.select();
  document.execCommand('copy');
  area.remove();
}

/** What failed and what to do. @param {ApiError} error @param {(() => void) | null} [again] */
export function failureNote(error, again = null) {
  return h('section', { class: 'failure', role: 'alert' },
    h('h1', { tabindex: -1 }, error.message),
    error.hint && h('p', null, error.hint),
    h('p', { class: 'muted mono' }, error.reason),
    again && h('button', { type: 'button', class: 'primary', on: { click: again } }, 'Try again'),
  );
}

/** A note that passes. @param {string} text @param {string} [tone] */
export function toast(text, tone = '') {
  const place = document.getElementById('toasts');
  if (!place) return;
  const note = h('div', { class: `toast ${tone}` }, text);
  place.append(note);
  setTimeout(() => note.remove(), tone === 'bad' ? 8000 : 4000);
}

/**
 * A dialog, open until it is closed; then it is gone.
 * @param {string} title
 * @param {(Node | null)[]} content
 * @param {{ name?: string, onClose?: () => void }} [said]
 */
export function openDialog(title, content, said = {}) {
  const heading = h('h2', { id: 'dialog-title' }, title);
  const close = h('button', { type: 'button', class: 'quiet', 'aria-label': 'Close', on: { click: () => dialog.close() } }, icon('close'));
  const dialog = h('dialog', { class: `dialog ${said.name ?? ''}`, 'aria-labelledby': 'dialog-title' },
    h('header', null, heading, close), ...content);
  dialog.addEventListener('close', () => {
    dialog.remove();
    said.onClose?.();
  });
  // A click beside a dialog is one on its backdrop.
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** @param {string} text @param {string} [name] */
export function key(text, name = '') {
  return h('kbd', { title: name || null }, text);
}

/** @type {Record<string, string>} */
const ICONS = {
  gallery: 'M3 3h7v7H3zM14 3h7v7h-7zM3 14h7v7H3zM14 14h7v7h-7z',
  try: 'M4 20l4-1L20 7l-3-3L5 16zM14 6l4 4',
  operate: 'M3 12h4l3-8 4 16 3-8h4',
  compare: 'M4 4h7v16H4zM13 4h7v16h-7z',
  copy: 'M9 9h11v11H9zM5 15V4h11',
  close: 'M5 5l14 14M19 5L5 19',
  search: 'M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM15.5 15.5L21 21',
  help: 'M9 9a3 3 0 1 1 4.5 2.6c-1 .6-1.500 1.200-1.500 2.400M12 18v.1',
  theme: 'M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18',
  back: 'M4 10h11a5 5 0 0 1 0 10h-4M4 10l5-5M4 10l5 5',
  up: 'M12 20V5M6 11l6-6 6 6',
  person: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21c1-5 4-7 8-7s7 2 8 7',
  picture: 'M3 5h18v14H3zM3 16l5-5 4 4 3-3 6 6M16 9.500v.1',
  stop: 'M6 6h12v12H6z',
  drop: 'M12 3v12M6 10l6 6 6-6M4 20h16',
};

/** @param {string} name */
export function icon(name) {
  return svg('svg', { class: 'icon', viewBox: '0 0 24 24', 'aria-hidden': 'true' },
    svg('path', { d: ICONS[name] ?? '' }));
}
