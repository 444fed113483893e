// SPDX-License-Identifier: Apache-2.0
// Light, dark, or as the system has it; kept by the browser. `theme.js` reads it before all else.
// @ts-check
import { h } from '../lib/dom.js';
import { icon, toast } from '../lib/parts.js';

const NAMES = /** @type {const} */ (['auto', 'light', 'dark']);

export function themeButton() {
  return h('button', { type: 'button', class: 'quiet', 'aria-label': 'Light or dark', title: 'Light or dark (t)', on: { click: turnTheme } }, icon('theme'));
}

/** Turns to the next. */
export function turnTheme() {
  const now = document.documentElement.dataset.theme ?? 'auto';
  const next = NAMES[(NAMES.findIndex((name) => name === now) + 1) % NAMES.length] ?? 'auto';
  if (next === 'auto') {
    delete document.documentElement.dataset.theme;
    localStorage.removeItem('tabard-theme');
  } else {
    document.documentElement.dataset.theme = next;
    localStorage.setItem('tabard-theme', next);
  }
  toast(next === 'auto' ? 'Light or dark: as your system has it' : `Always ${next}`);
}
