// SPDX-License-Identifier: Apache-2.0
// The screens there are. A new one is a file in `screens/` with an element that extends `Screen`, a
// line here, and a style sheet of its own if it needs one.
// @ts-check

/**
 * @typedef {object} ScreenEntry
 * @property {string} tag The element that shows it.
 * @property {RegExp} path What stands behind `#/`; its groups become `params`. It lets through no more than
 *   what a name may be: a `..` would lead out of the paths that are asked.
 * @property {string} title Title of the window; `{0}` is the first of `params`.
 * @property {() => Promise<unknown>} load Defines the element.
 * @property {string} [sheet] Its style sheet.
 * @property {{ label: string, icon: string, key: string, to: string }} [menu] Its place in the menu.
 */

/** @type {ScreenEntry[]} */
export const SCREENS = [
  {
    tag: 'tabard-gallery', path: /^$/, title: 'Gallery',
    load: () => import('./screens/gallery.js'), sheet: 'screens/gallery.css',
    menu: { label: 'Gallery', icon: 'gallery', key: 'g', to: '#/' },
  },
  {
    tag: 'tabard-style', path: /^styles\/([a-z0-9][a-z0-9._-]*)\/([a-z0-9][a-z0-9._-]*)$/, title: '{0}',
    load: () => import('./screens/style.js'), sheet: 'screens/style.css',
  },
  {
    tag: 'tabard-review', path: /^review\/([^/]+)\/([^/]+)\/([^/]+)$/, title: 'Blind review',
    load: () => import('./screens/review.js'), sheet: 'screens/review.css',
  },
  {
    tag: 'tabard-sheet', path: /^review\/([^/]+)\/([^/]+)\/([^/]+)\/report$/, title: '{0}',
    load: () => import('./screens/sheet.js'), sheet: 'screens/review.css',
  },
  {
    tag: 'tabard-try', path: /^try$/, title: 'Try',
    load: () => import('./screens/try.js'), sheet: 'screens/try.css',
    menu: { label: 'Try', icon: 'try', key: 't', to: '#/try' },
  },
  {
    tag: 'tabard-operate', path: /^operate$/, title: 'Operate',
    load: () => import('./screens/operate.js'), sheet: 'screens/operate.css',
    menu: { label: 'Operate', icon: 'operate', key: 'o', to: '#/operate' },
  },
];
