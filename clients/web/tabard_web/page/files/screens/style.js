// SPDX-License-Identifier: Apache-2.0
// One release line: its channels, scores over versions, versions with their evidence, and its past.
// @ts-check
import { ask, part } from '../lib/api.js';
import { fill, h } from '../lib/dom.js';
import { ago, counted, moment } from '../lib/format.js';
import { chip, copyable, icon } from '../lib/parts.js';
import { Screen } from '../lib/screen.js';
import { cover, KINDS } from './gallery.js';
import { moves, rollBack, targetOf } from './style/rollback.js';
import { scoresPanel } from './style/scores.js';
import { timeline } from './style/timeline.js';
import { versionCard } from './style/version.js';

/** @typedef {{ seq: number, time: string, type: string, version: string, channel: string, previous: string, actor: string, on_behalf_of: string, proof: string, reason: string, effective: boolean, note: string }} Act */
/** @typedef {{ name: string, version: string }} Channel */
/** @typedef {{ name: string, releases: any[], channels: Channel[], acts: Act[] }} StyleTold */
/** @typedef {{ name: string, state: string, of?: number | null, reason: string, value?: number, low?: number, high?: number, baseline?: number, paired_low?: number, paired_high?: number }} Score */
/** @typedef {{ version: string, documents: any[], verdict: string, report: string, reasons: string[], scores: Score[], checks: Record<string, any>, goal: string, pictures: any[], reviews: any[], votes: [number, number, number], is_withheld: boolean }} Known */

class StyleScreen extends Screen {
  /** @type {StyleTold | null} */
  #style = null;
  /** @type {Map<string, Known>} */
  #known = new Map();
  #score = 'style';
  /** The version whose report somebody wants to see, come what may. */
  #read = '';
  #showsAll = false;
  /** Versions that are open. @type {Set<string>} */
  #open = new Set();
  #isFirst = true;
  #scores = h('section', { class: 'panel', 'aria-labelledby': 'scores-title' });
  #versions = h('section', { class: 'panel', 'aria-labelledby': 'versions-title' });

  get name() {
    return this.params.join('/');
  }

  /** @param {import('../lib/live.js').Record_} record */
  concerns(record) {
    return record.actions.some((act) => act.adapter === this.name);
  }

  keys() {
    return [
      { keys: 'r', says: 'Roll back', act: () => this.#rollBack(this.#first()) },
      { keys: 'y', says: 'Try it', act: () => { location.hash = this.#tryAt(); } },
    ];
  }

  async load() {
    const path = `styles/${part(this.name)}`;
    this.#style = /** @type {StyleTold} */ (await ask(path, { signal: this.signal }));
    if (this.#isFirst && this.#style.releases[0]) this.#open.add(this.#served().version);
    this.#isFirst = false;
    this.#draw();
    const known = /** @type {Known[]} */ (await ask(`${path}/evidence${this.#read ? `?read=${encodeURIComponent(this.#read)}` : ''}`, { signal: this.signal }));
    this.#known = new Map(known.map((one) => [one.version, one]));
    this.#drawKnown();
  }

  #draw() {
    const style = /** @type {StyleTold} */ (this.#style);
    const shown = this.#served();
    fill(this,
      h('nav', { class: 'crumbs', 'aria-label': 'Where you are' }, h('a', { href: '#/' }, 'Gallery'), h('span', { 'aria-hidden': 'true' }, '/'), h('span', { class: 'mono' }, style.name)),
      h('header', { class: 'style-head' },
        cover({ name: style.name, shown: shown.version, state: shown.state }, this.signal),
        h('div', { class: 'style-title' },
          h('h1', null, shown.title || style.name.split('/')[1]),
          h('p', { class: 'muted' }, [KINDS[shown.kind] ?? shown.kind, shown.purpose, shown.base_family, shown.licence, counted(style.releases.length, 'version')].filter(Boolean).join(' · ')),
          shown.notes && h('p', { class: 'notes' }, shown.notes),
          h('div', { class: 'chips' }, shown.trigger_words.map((/** @type {string} */ word) => copyable(word, 'trigger words')))),
        h('div', { class: 'style-acts' },
          h('a', { class: 'primary', href: this.#tryAt() }, 'Try it'),
          copyable(style.name, 'name'))),
      this.#channels(),
      h('div', { class: 'style-body' },
        h('div', { class: 'style-main' }, this.#scores, this.#versions),
        h('section', { class: 'panel history', 'aria-labelledby': 'history-title' },
          h('header', { class: 'panel-head' }, h('h2', { id: 'history-title' }, 'History'),
            h('label', { class: 'switch small' }, h('input', { id: 'all-acts', type: 'checkbox', checked: this.#showsAll, on: { change: (/** @type {any} */ event) => { this.#showsAll = event.target.checked; this.#draw(); document.getElementById('all-acts')?.focus(); } } }), 'Everything')),
          timeline(style.acts, this.#showsAll))));
    this.#drawKnown();
  }

  #channels() {
    const style = /** @type {StyleTold} */ (this.#style);
    if (!style.channels.length) {
      return h('p', { class: 'notice' }, 'No channel points to a version yet: ', h('code', { class: 'mono' }, `tabard promote ${style.name}@${style.releases[0]?.version ?? '1.0.0'}`));
    }
    return h('ul', { class: 'channels' }, sorted(style.channels).map((channel, index) => {
      const since = style.acts.findLast((act) => act.channel === channel.name && moves(act));
      return h('li', { class: 'channel' },
        h('div', { class: 'channel-name' }, chip(channel.name, channel.name === 'stable' ? 'accent' : ''), h('strong', { class: 'mono' }, channel.version)),
        since && h('p', { class: 'muted' }, since.actor, ', ', h('time', { datetime: since.time, title: moment(since.time) }, ago(since.time)), since.reason && h('span', { class: 'reason' }, `“${since.reason}”`)),
        h('button', { type: 'button', class: 'danger', disabled: !targetOf(style.acts, channel.name), on: { click: () => this.#rollBack(channel) } },
          icon('back'), 'Roll back', index === 0 && h('kbd', { 'aria-hidden': 'true' }, 'r')));
    }));
  }

  #drawKnown() {
    const style = /** @type {StyleTold} */ (this.#style);
    fill(this.#scores, scoresPanel(style.releases.map((one) => this.#known.get(one.version)).filter((one) => one !== undefined), this.#score, (name) => {
      this.#score = name;
      this.#drawKnown();
      document.getElementById('score')?.focus();
    }));
    fill(this.#versions, h('h2', { id: 'versions-title' }, 'Versions'),
      style.releases.map((release) => versionCard({
        style: style.name,
        release,
        channels: style.channels.filter((one) => one.version === release.version).map((one) => one.name),
        known: this.#known.get(release.version) ?? null,
        isOpen: this.#open.has(release.version),
        onRead: () => { this.#read = release.version; this.reload(); },
        onToggle: (isOpen) => { this.#open[isOpen ? 'add' : 'delete'](release.version); },
        signal: this.signal,
      })));
  }

  /** The release that `stable` serves, else the newest. */
  #served() {
    const style = /** @type {StyleTold} */ (this.#style);
    const served = style.channels.find((one) => one.name === 'stable')?.version;
    return style.releases.find((one) => one.version === served) ?? style.releases[0];
  }

  #first() {
    return sorted(this.#style?.channels ?? [])[0];
  }

  #tryAt() {
    return `#/try?refs=${encodeURIComponent(this.#first() ? this.name : `${this.name}@${this.#style?.releases[0]?.version ?? ''}`)}`;
  }

  /** @param {Channel | undefined} channel */
  #rollBack(channel) {
    if (channel && this.#style) rollBack(this.name, channel, this.#style.acts, () => this.reload());
  }
}

/** `stable` first. @param {Channel[]} channels */
function sorted(channels) {
  return channels.toSorted((a, b) => Number(b.name === 'stable') - Number(a.name === 'stable') || a.name.localeCompare(b.name));
}

customElements.define('tabard-style', StyleScreen);
