// SPDX-License-Identifier: Apache-2.0
// Draw something: a prompt, styles with weights, a seed; look on while it is drawn, or stop it. A
// picture that is dropped says how it was made, and can be made again.
// @ts-check
import { ApiError, ask, send, told } from '../lib/api.js';
import { fill, h } from '../lib/dom.js';
import { brokenOff, events } from '../lib/stream.js';
import { icon, toast } from '../lib/parts.js';
import { Screen } from '../lib/screen.js';
import { drawForm } from './try/form.js';
import { provenancePanel } from './try/provenance.js';
import { pictureCard, Stage } from './try/stage.js';

const KEPT_MAX = 24;

class Try extends Screen {
  /** @type {AbortController | null} */
  #drawing = null;
  #isMade = false;
  #form = drawForm({ onDraw: () => this.#start() });
  #stage = new Stage({ onStop: () => this.#drawing?.abort() });
  #results = h('ul', { class: 'results', 'aria-label': 'What you have drawn' });
  #dropped = h('div', { class: 'dropped' });
  #chooser = h('input', { type: 'file', accept: 'image/png,image/jpeg,image/webp', class: 'visually-hidden', id: 'picture', on: { change: () => { const file = this.#chooser.files?.[0]; if (file) this.#take(file); } } });

  // What is drawn here changes by nothing that happens in the registry.
  concerns() {
    return false;
  }

  keys() {
    return [
      { keys: 'p', says: 'To the prompt', act: () => this.#form.focus() },
      { keys: 'd', says: 'Draw', act: () => this.#start() },
      { keys: 'Escape', says: 'Stop drawing', act: () => this.#drawing?.abort() },
    ];
  }

  async load() {
    if (this.#isMade) return;
    this.#isMade = true;
    const refs = this.query.get('refs');
    if (refs) this.#form.setRefs(refs.split('+').map((ref) => ({ ref, weight: 1 })));
    fill(this,
      h('h1', null, 'Try'),
      h('div', { class: 'try' },
        h('div', { class: 'try-form' }, this.#form.element,
          h('label', { class: 'drop', for: 'picture' }, icon('drop'), h('span', null, 'Drop a picture here, or choose one: it says how it was made')), this.#chooser),
        h('div', { class: 'try-stage' }, this.#stage.element, this.#results, this.#dropped)));
    this.addEventListener('dragover', (event) => { event.preventDefault(); this.classList.add('is-over'); });
    this.addEventListener('dragleave', () => this.classList.remove('is-over'));
    this.addEventListener('drop', (event) => this.#drop(event));
    this.addEventListener('paste', (event) => { const file = event.clipboardData?.files[0]; if (file) this.#take(file); });
    this.#form.element.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) this.#start();
    });
    this.#form.setChoices(await ask('styles', { signal: this.signal }), (await ask('operate', { signal: this.signal })).status);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#drawing?.abort();
  }

  async #start() {
    if (this.#drawing || !this.#form.element.reportValidity()) return;
    const drawing = this.#drawing = new AbortController();
    this.#form.setBusy(true);
    this.#stage.begin();
    try {
      const answer = await send('draw', { method: 'POST', body: this.#form.asked, signal: drawing.signal });
      let isTold = false;
      for await (const { name, data } of events(answer)) {
        this.#hear(name, data);
        isTold = name === 'done';
      }
      if (!isTold) throw brokenOff();
    } catch (error) {
      if (drawing.signal.aborted) this.#stage.stop();
      else if (error instanceof ApiError) {
        this.#stage.fail(error);
        this.#form.showError(error);
      } else throw error;
    } finally {
      this.#drawing = null;
      this.#form.setBusy(false);
    }
  }

  /** @param {string} name @param {any} data */
  #hear(name, data) {
    if (name === 'accepted') this.#stage.accept(data);
    else if (name === 'progress') this.#stage.progress(data);
    else if (name === 'preview') this.#stage.look(data, picture(data.png));
    else if (name === 'done') this.#stage.end(data);
    else if (name === 'error') throw told(data, 0);
    else if (name === 'image') {
      const file = picture(data.png);
      this.#stage.show(file, data);
      this.#results.prepend(pictureCard(file, { seed: data.seed, worn: this.#stage.worn, onWords: () => this.#take(file), onShow: () => this.#stage.show(file, data) }));
      while (this.#results.childElementCount > KEPT_MAX) this.#results.lastElementChild?.remove();
    }
  }

  /** @param {DragEvent} event */
  #drop(event) {
    event.preventDefault();
    this.classList.remove('is-over');
    const file = event.dataTransfer?.files[0];
    if (file) this.#take(file);
  }

  /** Shows what a picture says. @param {Blob} file */
  async #take(file) {
    try {
      const words = await ask('provenance', { method: 'POST', body: file, signal: this.signal });
      fill(this.#dropped, provenancePanel(file, words, {
        onUse: (asked) => {
          this.#form.set(asked);
          toast('Its settings are in the form');
          this.#form.focus();
        },
        signal: this.signal,
      }));
      this.#dropped.scrollIntoView({ block: 'nearest' });
    } catch (error) {
      if (error instanceof ApiError) toast([error.message, error.hint].filter(Boolean).join('; '), 'bad');
    }
  }
}

/** @param {string} text base64 */
function picture(text) {
  return new Blob([Uint8Array.from(atob(text), (one) => one.charCodeAt(0))], { type: 'image/png' });
}

customElements.define('tabard-try', Try);
