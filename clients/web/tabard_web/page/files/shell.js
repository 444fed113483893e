// SPDX-License-Identifier: Apache-2.0
// The frame around every screen: menu, who looks, how the server stands, help, light and dark. It
// shows the screen that the address names.
// @ts-check
import { ApiError, ask, session } from './lib/api.js';
import { fill, h } from './lib/dom.js';
import { bind } from './lib/keys.js';
import { live } from './lib/live.js';
import { failureNote, icon } from './lib/parts.js';
import { Screen } from './lib/screen.js';
import { openHelp } from './frame/help.js';
import { signIn, signOut } from './frame/sign-in.js';
import { themeButton, turnTheme } from './frame/theme-button.js';
import { SCREENS } from './screens.js';

/** @typedef {{ name: string, tenant: string, grants: Record<string, string[]>, is_asked: boolean, has_session: boolean, expires_at: string }} Visitor */

class Shell extends HTMLElement {
  #main = h('main', { id: 'main', tabindex: -1 });
  #menu = h('nav', { 'aria-label': 'Screens' });
  #banner = h('div', { class: 'banner', role: 'status', hidden: true });
  #who = h('div', { class: 'who' });
  #isSigningIn = false;
  #isFirst = true;

  connectedCallback() {
    this.append(
      h('a', { class: 'skip', href: '#main', on: { click: (/** @type {Event} */ event) => this.#skip(event) } }, 'Skip to content'),
      h('header', { class: 'frame' },
        h('a', { class: 'brand', href: '#/' }, h('span', { class: 'brand-mark', 'aria-hidden': 'true' }), h('span', { class: 'brand-name' }, 'Tabard')),
        this.#menu,
        h('div', { class: 'tools' }, this.#who, themeButton(),
          h('button', { type: 'button', class: 'quiet', 'aria-label': 'Help: keys of this page', title: 'Help (?)', on: { click: openHelp } }, icon('help')))),
      h('div', { class: 'stage' }, this.#banner, this.#main),
      h('div', { id: 'toasts', role: 'status', 'aria-live': 'polite' }),
    );
    bind('Everywhere', [
      ...SCREENS.flatMap(({ menu }) => menu ? [{
        keys: `g ${menu.key}`, says: menu.label, act: () => { location.hash = menu.to; },
      }] : []),
      { keys: 't', says: 'Light, dark, or as your system has it', act: turnTheme },
      { keys: '?', says: 'This help', act: openHelp },
    ]);
    addEventListener('hashchange', () => this.#show());
    session.addEventListener('refused', (event) => this.#refused(/** @type {CustomEvent} */ (event).detail));
    live.addEventListener('standing', (event) => this.#stand(/** @type {CustomEvent} */ (event).detail));
    this.#begin();
  }

  /** Learns who looks, then shows the screen and listens. */
  async #begin() {
    try {
      this.#tellWho(await ask('session'));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // Whoever is asked who they are is told so by `refused`.
      if (error.status !== 401) fill(this.#main, failureNote(error, () => this.#begin()));
      return;
    }
    live.start();
    await this.#show();
  }

  async #show() {
    const [path = '', query = ''] = location.hash.replace(/^#\/?/, '').split('?');
    const found = SCREENS.map((entry) => ({ entry, match: entry.path.exec(path) })).find((one) => one.match);
    this.#drawMenu(found?.entry.tag ?? '');
    if (!found) {
      fill(this.#main, failureNote(new ApiError('There is no such screen.', { reason: 'PATH_UNKNOWN', hint: 'Choose one in the menu.' })));
      return;
    }
    try {
      await Promise.all([found.entry.load(), sheet(found.entry.sheet)]);
    } catch {
      const error = new ApiError('A part of the page is missing.', { reason: 'PATH_UNKNOWN', hint: 'The gateway may have been updated: load the page again.' });
      fill(this.#main, failureNote(error, () => location.reload()));
      return;
    }
    const screen = /** @type {Screen} */ (document.createElement(found.entry.tag));
    screen.params = (found.match ?? []).slice(1);
    screen.query = new URLSearchParams(query);
    document.title = `${found.entry.title.replace('{0}', screen.params.join('/'))} · Tabard`;
    fill(this.#main, screen);
    window.scrollTo(0, 0);
    // Whoever reads with their ears hears where they are; at the first screen the browser says it.
    if (!this.#isFirst) this.#main.focus({ preventScroll: true });
    this.#isFirst = false;
  }

  /** @param {string} shown */
  #drawMenu(shown) {
    fill(this.#menu, SCREENS.flatMap(({ menu, tag }) => menu ? [
      h('a', { href: menu.to, 'aria-current': tag === shown ? 'page' : null, title: `${menu.label} (g ${menu.key})` }, icon(menu.icon), h('span', null, menu.label)),
    ] : []));
  }

  /** @param {Visitor} visitor */
  #tellWho(visitor) {
    fill(this.#who, visitor.is_asked && [
      h('span', { class: 'who-name', title: roles(visitor) }, icon('person'), h('span', null, visitor.name)),
      visitor.has_session && h('button', { type: 'button', class: 'quiet small', on: { click: signOut } }, 'Sign out'),
    ]);
  }

  /** @param {ApiError} error */
  #refused(error) {
    if (this.#isSigningIn) return;
    this.#isSigningIn = true;
    fill(this.#who);
    fill(this.#main, signIn(error, (visitor) => {
      this.#isSigningIn = false;
      this.#tellWho(visitor);
      live.restart();
      this.#show();
    }));
  }

  /** @param {{ standing: string, error: ApiError | null }} told */
  #stand({ standing, error }) {
    const isAway = standing === 'away';
    if (this.#banner.hidden !== isAway) return;
    this.#banner.hidden = !isAway;
    fill(this.#banner, isAway && [
      h('strong', null, 'The server is away. '),
      `${error?.message ?? ''} This page goes on by itself once it is back.`,
    ]);
    if (!isAway) live.dispatchEvent(new Event('changed'));
  }

  /** @param {Event} event */
  #skip(event) {
    event.preventDefault();
    this.#main.focus();
  }
}

/** @param {Visitor} visitor */
function roles(visitor) {
  return Object.entries(visitor.grants).map(([place, names]) => `${place}: ${names.join(', ')}`).join('\n');
}

/** Loads a style sheet once. @param {string | undefined} name */
function sheet(name) {
  if (!name) return null;
  const href = new URL(name, import.meta.url).pathname;
  if (document.querySelector(`link[href="${CSS.escape(href)}"]`)) return null;
  return new Promise((done, failed) => {
    const link = h('link', { rel: 'stylesheet', href, on: { load: done, error: failed } });
    document.head.append(link);
  });
}

customElements.define('tabard-shell', Shell);
