// SPDX-License-Identifier: Apache-2.0
// The report on a release as a grid: rows are prompts, the worst first, columns are seeds. All cells
// are compared alike, and looked at equally closely. Then somebody decides.
// @ts-check
import { ask, part } from '../lib/api.js';
import { fill, h } from '../lib/dom.js';
import { ago, number } from '../lib/format.js';
import { chip, icon, key, openDialog } from '../lib/parts.js';
import { Screen } from '../lib/screen.js';
import { decide } from './review/decide.js';
import { fileReview, filedReviews } from './review/file.js';
import { LABELS } from './review/labels.js';
import { Lens, lensKeys, movedBy } from './review/lens.js';
import { LooksPanel } from './review/looks.js';
import { PairView, VIEWS } from './review/pair.js';
import { rollBack } from './style/rollback.js';

/** @typedef {import('./review/pair.js').View} View */
/** @typedef {{ seed: number, candidate: string, baseline: string }} Cell */
/** @typedef {{ prompt: string, mean: number | null, stable: boolean | null, cells: Cell[] }} Row */
/** @typedef {{ name: string, version: string, against: string, report: string, verdict: string, reasons: string[], checks: Record<string, any>, rows: Row[], reviews: any[], votes: number[], labels: Record<string, [number, number]>, channels: string[], filed: import('./review/file.js').Filed[] }} Sheet */

const TONES = /** @type {Record<string, string>} */ ({ Success: 'good', Failed: 'bad', Inconclusive: 'warn' });

class SheetScreen extends Screen {
  #lens = new Lens();
  #how = /** @type {View} */ ('flicker');
  #side = /** @type {0 | 1} */ (0);
  /** @type {Sheet | null} */
  #sheet = null;
  /** @type {{ cell: HTMLElement, view: PairView, row: Row, seed: number }[]} */
  #cells = [];
  #at = 0;
  #views = h('div', { class: 'views', role: 'group', 'aria-label': 'How they are compared' });
  #grid = h('div', { class: 'sheet-scroll', tabindex: -1 });
  #said = h('div', { class: 'sheet-said' });
  #head = h('header', { class: 'sheet-head' });
  #looks = new LooksPanel('', this.signal);

  get name() {
    return `${this.params[0]}/${this.params[1]}`;
  }

  get ref() {
    return `${this.name}@${this.params[2]}`;
  }

  /** @param {import('../lib/live.js').Record_} record */
  concerns(record) {
    return record.actions.some((act) => act.adapter === this.name);
  }

  keys() {
    const step = (/** @type {number} */ dx, /** @type {number} */ dy) => (/** @type {KeyboardEvent} */ event) => { if (!movedBy(this.#lens, event)) this.#move(dx, dy); };
    return [
      { keys: 'f', says: 'The other release, in every cell', act: () => this.#flip() },
      { keys: 'v', says: 'Another view', act: () => this.#turnView() },
      { keys: 'ArrowLeft', says: 'The cell before; with ⇧ arrows move the pictures', act: step(-1, 0) },
      { keys: 'ArrowRight', says: 'The next cell', act: step(1, 0) },
      { keys: 'ArrowUp', says: 'The cell above', act: step(0, -1) },
      { keys: 'ArrowDown', says: 'The cell below', act: step(0, 1) },
      { keys: 'Enter', says: 'The cell alone, large', act: () => this.#open() },
      { keys: 'e', says: 'References', act: () => this.#look('references') },
      { keys: 'n', says: 'Nearest training picture', act: () => this.#look('training') },
      ...lensKeys(this.#lens),
      { keys: 'a', says: 'Approve', act: () => this.#decide('approve') },
      { keys: 'x', says: 'Reject', act: () => this.#decide('reject') },
      { keys: 'r', says: 'Roll back', act: () => this.#rollBack() },
      { keys: 's', says: 'File the review in the evidence', act: () => this.#file() },
    ];
  }

  disconnectedCallback() {
    for (const one of this.#cells) one.view.end();
    super.disconnectedCallback();
  }

  async load() {
    const before = this.#sheet?.report;
    this.#sheet = /** @type {Sheet} */ (await ask(`review?ref=${encodeURIComponent(this.ref)}`, { signal: this.signal }));
    document.title = `${this.ref} · Tabard`;
    if (!this.#grid.isConnected) this.#frame();
    if (this.#sheet.report !== before) this.#drawGrid();
    this.#drawHead();
    this.#drawSaid();
    this.#show();
  }

  #frame() {
    this.#looks = new LooksPanel(this.ref, this.signal);
    fill(this,
      h('nav', { class: 'crumbs', 'aria-label': 'Where you are' }, h('a', { href: '#/' }, 'Gallery'), h('span', { 'aria-hidden': 'true' }, '/'), h('a', { class: 'mono', href: `#/styles/${part(this.name)}` }, this.name)),
      this.#head,
      this.#said,
      h('div', { class: 'sheet-bar' }, this.#views,
        h('div', { class: 'views' },
          h('button', { type: 'button', class: 'plain small', on: { click: () => this.#look('references') } }, 'References', key('e')),
          h('button', { type: 'button', class: 'plain small', on: { click: () => this.#look('training') } }, 'Nearest in training', key('n')))),
      this.#looks.element, this.#grid);
  }

  #drawHead() {
    const sheet = /** @type {Sheet} */ (this.#sheet);
    fill(this.#head,
      h('div', null,
        h('h1', null, `${sheet.version} `, h('span', { class: 'muted' }, sheet.against ? `beside ${sheet.against}` : 'alone')),
        h('div', { class: 'chips' }, chip(sheet.verdict, TONES[sheet.verdict] ?? ''), sheet.channels.map((one) => chip(one, one === 'stable' ? 'accent' : '')))),
      h('div', { class: 'sheet-acts' },
        h('button', { type: 'button', class: 'primary', on: { click: () => this.#decide('approve') } }, 'Approve', key('a')),
        h('button', { type: 'button', class: 'danger', on: { click: () => this.#decide('reject') } }, 'Reject', key('x')),
        sheet.channels.length > 0 && h('button', { type: 'button', class: 'danger', on: { click: () => this.#rollBack() } }, icon('back'), 'Roll back', key('r')),
        h('a', { class: 'plain', href: `/api/review/export?ref=${encodeURIComponent(this.ref)}`, download: '' }, icon('drop'), 'Export'),
        h('button', { type: 'button', class: 'plain', on: { click: () => this.#file() } }, 'File', key('s'))));
  }

  #drawGrid() {
    const sheet = /** @type {Sheet} */ (this.#sheet);
    for (const one of this.#cells) one.view.end();
    this.#cells = [];
    const seeds = [...new Set(sheet.rows.flatMap((row) => row.cells.map((cell) => cell.seed)))].sort((a, b) => a - b);
    fill(this.#grid, h('table', { class: 'sheet' },
      h('caption', { class: 'visually-hidden' }, 'Pictures by prompt, the worst first, and seed'),
      h('thead', null, h('tr', null, h('th', { scope: 'col' }, 'Prompt'), seeds.map((seed) => h('th', { scope: 'col' }, `Seed ${seed}`)))),
      h('tbody', null, sheet.rows.map((row) => h('tr', null,
        h('th', { scope: 'row' }, h('span', { class: 'sheet-prompt' }, row.prompt),
          h('span', { class: 'muted small' }, row.mean === null ? 'not scored' : `style ${number(row.mean)}`, row.stable === false ? ' · changes with the seed' : '')),
        seeds.map((seed) => h('td', null, this.#cell(row, row.cells.find((one) => one.seed === seed)))))))));
  }

  /** @param {Row} row @param {Cell | undefined} cell */
  #cell(row, cell) {
    const sheet = /** @type {Sheet} */ (this.#sheet);
    if (!cell) return h('span', { class: 'muted' }, 'none');
    const address = (/** @type {string} */ digest) => `/api/picture?ref=${encodeURIComponent(this.ref)}&evidence=${encodeURIComponent(sheet.report)}&digest=${encodeURIComponent(digest)}`;
    const picture = (/** @type {string} */ digest, /** @type {string} */ version) => h('img', { src: address(digest), alt: `${version}: ${row.prompt}, seed ${cell.seed}`, loading: 'lazy', decoding: 'async' });
    const view = new PairView(this.#lens, [picture(cell.candidate, sheet.version), picture(cell.baseline || cell.candidate, sheet.against || sheet.version)], [sheet.version, sheet.against || sheet.version]);
    const at = this.#cells.length;
    const element = h('div', { class: 'sheet-cell', tabindex: at ? -1 : 0, role: 'group', 'aria-label': `${row.prompt}, seed ${cell.seed}`, on: {
      focus: () => { this.#at = at; }, dblclick: () => this.#open(),
    } }, view.element);
    this.#cells.push({ cell: element, view, row, seed: cell.seed });
    return element;
  }

  #show() {
    const sheet = /** @type {Sheet} */ (this.#sheet);
    for (const one of this.#cells) one.view.show(this.#how, this.#side);
    fill(this.#views, sheet.against ? [
      ...VIEWS.map(([name, says]) => h('button', { type: 'button', class: 'kind', 'aria-pressed': String(name === this.#how), on: { click: () => { this.#how = name; this.#show(); } } }, says)),
      h('button', { type: 'button', class: 'plain small', on: { click: () => this.#flip() } }, `Shown: ${this.#side ? sheet.against : sheet.version}`, key('f')),
    ] : []);
  }

  #drawSaid() {
    const { votes, labels, reviews, checks, reasons, filed } = /** @type {Sheet} */ (this.#sheet);
    const words = LABELS.filter(([name]) => labels[name]).map(([name, says]) => `${says}: ${labels[name]?.[0]} of its pictures, ${labels[name]?.[1]} of the others`);
    fill(this.#said,
      votes.some(Boolean) && h('p', null, h('strong', null, 'Blind votes: '), `${votes[0]} for it, ${votes[1]} for the other, ${votes[2]} ties, ${votes[3]} against both`, words.length > 0 && h('span', { class: 'muted' }, ` · ${words.join(' · ')}`)),
      reviews.length > 0 && h('ul', { class: 'reviews' }, reviews.map((one) => h('li', null, chip(one.decision, one.decision === 'approve' ? 'good' : 'bad'), ' ', h('strong', null, one.reviewer), h('span', { class: 'muted' }, ` ${ago(one.time)}${one.is_current ? '' : ', of an earlier report'} `), h('span', { class: 'reason' }, one.note)))),
      filedReviews(this.ref, filed),
      h('details', { class: 'more' }, h('summary', null, 'What the verdict rests on'),
        h('ul', { class: 'reasons' }, reasons.map((one) => h('li', null, one)), Object.entries(checks).map(([name, one]) => h('li', null, `${name.replaceAll('_', ' ')}: ${one.state}${one.note ? `, ${one.note}` : ''}`)))));
  }

  #flip() {
    this.#side = this.#side ? 0 : 1;
    this.#show();
    this.#looks.draw(this.#image());
  }

  #turnView() {
    this.#how = VIEWS[(VIEWS.findIndex(([name]) => name === this.#how) + 1) % VIEWS.length]?.[0] ?? 'flicker';
    this.#show();
  }

  /** @param {number} dx @param {number} dy */
  #move(dx, dy) {
    const columns = this.#grid.querySelectorAll('thead th').length - 1;
    const isInside = this.#cells[this.#at]?.cell === document.activeElement;
    const next = isInside ? this.#at + dx + dy * columns : this.#at;
    const found = this.#cells[next];
    if (!found) return;
    for (const one of this.#cells) one.cell.tabIndex = one === found ? 0 : -1;
    found.cell.focus();
    this.#looks.draw(this.#image());
  }

  #open() {
    const one = this.#cells[this.#at];
    if (!one) return;
    const [first, second] = one.view.images;
    const copy = (/** @type {HTMLImageElement} */ image) => h('img', { src: new URL(image.src).pathname + new URL(image.src).search, alt: image.alt });
    const view = new PairView(this.#lens, [copy(first), copy(second)], one.view.names);
    const dialog = openDialog(`${one.row.prompt}, seed ${one.seed}`, [view.element], { name: 'large', onClose: () => { view.end(); one.cell.focus(); } });
    view.show(this.#how, this.#side);
    // The keys of the screen rest behind a dialog; those that compare act in it, too.
    dialog.addEventListener('keydown', (event) => {
      const found = this.keys().find((key) => key.keys === event.key && 'fv+-0p'.includes(event.key));
      if (found) found.act(event);
      else if (!movedBy(this.#lens, event)) return;
      event.preventDefault();
      view.show(this.#how, this.#side);
    });
  }

  /** @param {import('./review/looks.js').Kind} kind */
  #look(kind) {
    this.#looks.toggle(kind, this.#image());
  }

  #image() {
    return this.#cells[this.#at]?.view.images[this.#side] ?? null;
  }

  /** @param {'approve' | 'reject'} decision */
  #decide(decision) {
    decide({ ref: this.ref, decision, report: this.#sheet?.report ?? '', steady: this.query.get('steady') ?? '', onDone: () => this.reload() });
  }

  #file() {
    fileReview({ ref: this.ref, onDone: () => this.reload() });
  }

  async #rollBack() {
    const version = this.#sheet?.version ?? '';
    const names = this.#sheet?.channels ?? [];
    const name = names.includes('stable') ? 'stable' : names[0];
    if (!name) return;
    const style = await ask(`styles/${part(this.name)}`, { signal: this.signal });
    rollBack(this.name, { name, version }, style.acts, () => this.reload());
  }
}

customElements.define('tabard-sheet', SheetScreen);
