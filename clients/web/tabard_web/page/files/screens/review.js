// SPDX-License-Identifier: Apache-2.0
// Blind review: one pair after the other, by keys alone. Nobody here knows who drew which.
// @ts-check
import { ApiError, ask } from '../lib/api.js';
import { fill, h } from '../lib/dom.js';
import { chip, failureNote, icon, key, toast } from '../lib/parts.js';
import { Screen } from '../lib/screen.js';
import { LABELS } from './review/labels.js';
import { Lens, lensKeys, movedBy } from './review/lens.js';
import { LooksPanel } from './review/looks.js';
import { PairView, VIEWS } from './review/pair.js';
import { Trials } from './review/trials.js';
import { Turns } from './review/turns.js';

/** @typedef {import('./review/trials.js').Choice} Choice */
/** @typedef {import('./review/turns.js').Turn} Turn */
/** @typedef {import('./review/pair.js').View} View */
/** @typedef {{ turn: Turn, images: [HTMLImageElement, HTMLImageElement], trial: { kind: 'again' | 'catch', was: Choice } | null }} Shown */

const NAME = 'tabard-actor';
/** @type {[Choice, string, string, string][]} */
const CHOICES = [
  ['a', 'ArrowLeft', '←', 'A is better'], ['b', 'ArrowRight', '→', 'B is better'],
  ['tie', 'ArrowUp', '↑', 'As good as each other'], ['both_bad', 'ArrowDown', '↓', 'Both are bad'],
];

class Review extends Screen {
  #lens = new Lens();
  /** @type {Turns | null} */
  #turns = null;
  /** @type {Trials<Turn>} */
  #trials = new Trials();
  /** @type {Shown | null} */
  #shown = null;
  /** What was answered last and can be taken back. @type {'vote' | 'trial' | null} */
  #last = null;
  /** @type {Shown | null} */
  #lastShown = null;
  /** @type {PairView | null} */
  #view = null;
  /** @type {LooksPanel | null} */
  #looks = null;
  /** @type {[Set<string>, Set<string>]} */
  #labels = [new Set(), new Set()];
  #side = /** @type {0 | 1} */ (0);
  #how = /** @type {View} */ ('flicker');
  #isBusy = false;

  #prompt = h('h1', { id: 'pair-prompt', tabindex: -1 });
  #about = h('p', { class: 'muted' });
  #bar = h('progress', { 'aria-label': 'Pairs voted on' });
  #count = h('p', { class: 'muted small', role: 'status' });
  #place = h('div', { class: 'pair-place' });
  #views = h('div', { class: 'views', role: 'group', 'aria-label': 'How they are compared' });
  #labelRow = h('div', { class: 'labels', role: 'group' });
  #note = h('textarea', { id: 'note', maxlength: 2000, rows: 2, on: { keydown: (/** @type {KeyboardEvent} */ event) => { if (event.key === 'Escape') this.#note.blur(); } } });
  #undo = h('button', { type: 'button', class: 'plain', on: { click: () => this.#takeBack() } }, icon('back'), 'Take back', key('u'));

  get ref() {
    return `${this.params[0]}/${this.params[1]}@${this.params[2]}`;
  }

  concerns() {
    return false;
  }

  keys() {
    return [
      ...CHOICES.map(([choice, name, , says]) => ({ keys: name, says: `${says}${choice === 'a' ? '; with ⇧ arrows move the picture' : ''}`, act: (/** @type {KeyboardEvent} */ event) => { if (!movedBy(this.#lens, event)) this.#choose(choice); } })),
      { keys: 'f', says: 'The other side', act: () => this.#flip() },
      { keys: 'v', says: 'Another view', act: () => this.#turnView() },
      ...LABELS.map(([name, says], at) => ({ keys: String(at + 1), says, act: () => this.#label(name) })),
      { keys: 'c', says: 'Note', act: () => this.#note.focus() },
      { keys: 'u', says: 'Take the last answer back', act: () => this.#takeBack() },
      { keys: 'e', says: 'References', act: () => this.#look('references') },
      { keys: 'n', says: 'Nearest training picture', act: () => this.#look('training') },
      ...lensKeys(this.#lens),
      { keys: 'Enter', says: 'Store the last answer, at the end', act: () => this.#end() },
    ];
  }

  disconnectedCallback() {
    this.#turns?.leave();
    this.#view?.end();
    super.disconnectedCallback();
  }

  async load() {
    if (this.#turns) return;
    const { is_asked: isAsked } = await ask('session', { signal: this.signal });
    addEventListener('pagehide', () => this.#turns?.leave(), { signal: this.signal });
    if (isAsked) await this.#begin('');
    else this.#askName();
  }

  #askName() {
    const name = h('input', { id: 'actor', autocomplete: 'name', maxlength: 200, required: true, value: localStorage.getItem(NAME) ?? '' });
    fill(this, h('form', { class: 'sign-in', on: { submit: (/** @type {Event} */ event) => {
      event.preventDefault();
      localStorage.setItem(NAME, name.value.trim());
      this.#begin(name.value.trim());
    } } },
    h('h1', null, 'Blind review'),
    h('p', null, 'Pairs of pictures, one after the other. One of each pair was drawn by what is reviewed, and nobody tells you which.'),
    h('label', { for: 'actor' }, 'Your name, for the votes'), name,
    h('button', { type: 'submit', class: 'primary' }, 'Begin')));
    name.focus();
  }

  /** @param {string} actor */
  async #begin(actor) {
    this.#turns = new Turns(this.ref, actor, this.signal);
    this.#looks = new LooksPanel(this.ref, this.signal);
    await this.#advance();
  }

  async #advance() {
    const turns = /** @type {Turns} */ (this.#turns);
    this.#isBusy = true;
    try {
      const trial = this.#trials.due();
      if (trial) {
        const [a, b] = trial.turn.images;
        this.#show({ turn: trial.turn, trial, images: trial.kind === 'catch' ? [a, copyOf(a)] : [b, a] });
      } else {
        const turn = await turns.next();
        if (turn) this.#show({ turn, trial: null, images: turn.images });
        else this.#finish();
      }
    } catch (error) {
      if (this.signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      fill(this, failureNote(error, () => this.#advance()));
    } finally {
      this.#isBusy = false;
    }
  }

  /** @param {Shown} shown */
  #show(shown) {
    this.#shown = shown;
    this.dataset.turn = String(Number(this.dataset.turn ?? 0) + 1);
    this.#labels = [new Set(), new Set()];
    this.#note.value = '';
    this.#side = 0;
    if (!this.#place.isConnected) this.#frame();
    this.#view?.end();
    this.#view = new PairView(this.#lens, shown.images, ['A', 'B']);
    fill(this.#place, this.#view.element);
    this.#draw();
    this.#looks?.draw(this.#image());
  }

  #frame() {
    fill(this,
      h('header', { class: 'review-head' },
        h('div', null, h('p', { class: 'crumbs' }, 'Blind review', chip('sides are secret', 'accent')), this.#prompt, this.#about),
        h('div', { class: 'review-progress' }, this.#bar, this.#count)),
      h('div', { class: 'review' },
        h('div', { class: 'review-stage' }, this.#views, this.#place, this.#looks?.element ?? null),
        h('div', { class: 'review-side' },
          h('div', { class: 'choices' }, CHOICES.map(([choice, , sign, says]) => h('button', { type: 'button', class: 'plain choice', 'data-choice': choice, on: { click: () => this.#choose(choice) } }, key(sign), h('span', null, says)))),
          this.#labelRow,
          h('div', { class: 'note' }, h('label', { for: 'note' }, 'Note ', key('c')), this.#note),
          h('div', { class: 'review-acts' }, this.#undo,
            h('button', { type: 'button', class: 'plain', on: { click: () => this.#look('references') } }, 'References', key('e')),
            h('button', { type: 'button', class: 'plain', on: { click: () => this.#look('training') } }, 'Nearest in training', key('n'))))));
  }

  #draw() {
    const { turn } = /** @type {Shown} */ (this.#shown);
    const turns = /** @type {Turns} */ (this.#turns);
    this.#prompt.textContent = turn.prompt || 'No prompt is known';
    fill(this.#about, `Seed ${turn.seed}`, turn.negative_prompt ? ` · without: ${turn.negative_prompt}` : '');
    this.#bar.max = Math.max(1, turns.pairCount);
    this.#bar.value = this.#done();
    this.#count.textContent = `${this.#done()} of ${turns.pairCount} pairs`;
    this.#undo.disabled = !this.#last;
    fill(this.#views, VIEWS.map(([name, says]) => h('button', { type: 'button', class: 'kind', 'aria-pressed': String(name === this.#how), on: { click: () => { this.#how = name; this.#draw(); } } }, says)),
      h('button', { type: 'button', class: 'plain small', on: { click: () => this.#flip() } }, `Other side (${'AB'[this.#side]})`, key('f')));
    this.#view?.show(this.#how, this.#side);
    const side = 'AB'[this.#side] ?? '';
    this.#labelRow.setAttribute('aria-label', `What is wrong with ${side}`);
    fill(this.#labelRow, h('h2', null, `What is wrong with ${side}?`), LABELS.map(([name, says], at) => h('button', {
      type: 'button', class: 'label', 'aria-pressed': String(this.#labels[this.#side].has(name)), on: { click: () => this.#label(name) },
    }, key(String(at + 1)), h('span', null, says), this.#labels[this.#side ? 0 : 1].has(name) && chip('BA'[this.#side] ?? '', '', `${'BA'[this.#side]} has it, too`))));
  }

  #done() {
    return (this.#turns?.votedCount ?? 0) + (this.#turns?.kept ? 1 : 0);
  }

  #flip() {
    this.#side = this.#side ? 0 : 1;
    this.#draw();
    this.#looks?.draw(this.#image());
  }

  #turnView() {
    this.#how = VIEWS[(VIEWS.findIndex(([name]) => name === this.#how) + 1) % VIEWS.length]?.[0] ?? 'flicker';
    this.#draw();
  }

  /** @param {string} name */
  #label(name) {
    const mine = this.#labels[this.#side];
    if (!mine.delete(name)) mine.add(name);
    this.#draw();
  }

  /** @param {import('./review/looks.js').Kind} kind */
  #look(kind) {
    this.#looks?.toggle(kind, this.#image());
  }

  #image() {
    return this.#shown?.images[this.#side] ?? null;
  }

  /** @param {Choice} choice */
  async #choose(choice) {
    const shown = this.#shown;
    if (!shown || this.#isBusy || !this.#turns) return;
    this.#isBusy = true;
    try {
      if (shown.trial) {
        await this.#turns.store();
        this.#trials.answer(shown.trial, choice);
      } else {
        await this.#turns.keep({ turn: shown.turn, choice, labels: this.#labels, note: this.#note.value.trim() });
        this.#trials.note(shown.turn, choice);
      }
      this.#last = shown.trial ? 'trial' : 'vote';
      this.#lastShown = shown;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      toast([error.message, error.hint].filter(Boolean).join('; '), 'bad');
      return;
    } finally {
      this.#isBusy = false;
    }
    await this.#advance();
  }

  #takeBack() {
    const back = this.#lastShown;
    if (!this.#last || !back || this.#isBusy || !this.#turns) return;
    const now = this.#shown;
    /** @type {import('./review/turns.js').Kept | null} */
    let vote = null;
    if (this.#last === 'trial') {
      this.#trials.takeBackAnswer();
      this.#turns.putBack(now && !now.trial ? now.turn : null);
    } else {
      // A trial that was due goes with the vote that made it so, and comes later.
      vote = this.#turns.takeBack(now && !now.trial ? now.turn : null);
      this.#trials.takeBack();
      if (now?.trial) this.#trials.putOff(now.turn);
    }
    this.#last = null;
    this.#show(back);
    if (vote) {
      this.#labels = vote.labels;
      this.#note.value = vote.note;
      this.#draw();
    }
  }

  async #end() {
    if (this.#shown || !this.#turns) return;
    try {
      await this.#turns.store();
      this.#last = null;
      this.#finish();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      toast(error.message, 'bad');
    }
  }

  #finish() {
    const turns = /** @type {Turns} */ (this.#turns);
    this.#shown = null;
    this.dataset.turn = 'over';
    const told = this.#trials.told();
    const heading = h('h1', { tabindex: -1 }, turns.pairCount || turns.kept ? 'That was the last pair' : 'No pair is left');
    fill(this, h('section', { class: 'review-end' }, heading,
      turns.kept && h('p', null, 'Your last answer is not stored yet. ', key('Enter'), ' stores it, ', key('u'), ' takes it back.'),
      told && h('section', { class: 'panel' }, h('h2', null, 'How steady you were'), h('p', null, `Of the pairs that you could not know, ${told}.`), h('p', { class: 'muted small' }, 'Only you are told. These answers are no votes.')),
      h('div', { class: 'actions' },
        turns.kept && h('button', { type: 'button', class: 'primary', on: { click: () => this.#end() } }, 'Store it'),
        turns.kept && h('button', { type: 'button', class: 'plain', on: { click: () => this.#takeBack() } }, 'Take it back'),
        !turns.kept && h('a', { class: 'primary', href: `#/review/${this.params.map(encodeURIComponent).join('/')}/report?steady=${encodeURIComponent(told)}` }, 'Read the report, and decide'))));
    heading.focus();
  }
}

/** @param {HTMLImageElement} image */
function copyOf(image) {
  return h('img', { src: image.src, alt: '' });
}

customElements.define('tabard-review', Review);
