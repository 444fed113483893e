// SPDX-License-Identifier: Apache-2.0
// A version as a card: what it is, and, opened, what is known of it: verdict, checks, pictures,
// reviews, scores, files.
// @ts-check
import { ApiError, ask, part } from '../../lib/api.js';
import { fill, h } from '../../lib/dom.js';
import { ago, counted, moment, number, scored, short, size } from '../../lib/format.js';
import { chip, copyable } from '../../lib/parts.js';
import { filedAddress } from '../review/file.js';

/** @typedef {import('../style.js').Known} Known */

const VERDICTS = /** @type {Record<string, string>} */ ({ success: 'good', failed: 'bad', inconclusive: 'warn' });
const CHECKS = ['prompt_drift', 'style_mismatch', 'artifact', 'copyright', 'portrait', 'review_failure'];
const STATES = /** @type {Record<string, [string, string]>} */ ({ clear: ['good', '✓'], flagged: ['bad', '!'], not_checked: ['', '–'] });

/**
 * @param {{ style: string, release: any, channels: string[], known: Known | null, isOpen: boolean, onRead: () => void, onToggle: (isOpen: boolean) => void, signal: AbortSignal }} said
 */
export function versionCard({ style, release, channels, known, isOpen, onRead, onToggle, signal }) {
  const ref = `${style}@${release.version}`;
  const body = h('div', { class: 'version-body' });
  const card = h('details', { class: 'version', open: isOpen, on: { toggle } },
    h('summary', { id: `version-${release.version}` },
      h('span', { class: 'mono version-number' }, release.version),
      h('span', { class: 'chips' },
        channels.map((name) => chip(name, name === 'stable' ? 'accent' : '')),
        release.state !== 'live' && chip(release.state, 'bad', release.quarantine_reason || release.yank_reason || release.purge_reason),
        known?.verdict && chip(known.verdict, VERDICTS[known.verdict] ?? ''),
        known?.reviews.length ? chip(counted(known.reviews.length, 'review')) : null),
      h('span', { class: 'muted version-when' }, release.published_by, ', ', h('time', { datetime: release.published_at, title: moment(release.published_at) }, ago(release.published_at)))),
    body);
  if (isOpen) draw();

  function toggle() {
    onToggle(card.open);
    if (card.open && !body.childElementCount) draw();
  }

  function draw() {
    const files = h('div', { class: 'files' });
    fill(body,
      release.notes && h('p', { class: 'notes' }, release.notes),
      withdrawal(release),
      known ? evidence(ref, known, onRead) : h('p', { class: 'muted' }, 'Asking what is known …'),
      members(release),
      h('section', null, h('h3', null, 'Files'), files,
        h('div', { class: 'chips' }, copyable(`tabard pull ${ref}`, 'command'), copyable(release.digest, 'digest'))));
    if (release.kind === 'recipe') fill(files, h('p', { class: 'muted' }, 'A recipe has none of its own.'));
    else listFiles(files, style, release.version, signal);
  }
  return card;
}

/** @param {string} ref @param {Known} known @param {() => void} onRead */
function evidence(ref, known, onRead) {
  const review = `#/review/${part(ref.replace('@', '/'))}`;
  return [
    known.pictures.length > 0 && h('ul', { class: 'pictures' }, known.pictures.map((one) => h('li', null,
      h('a', { href: address(ref, one), target: '_blank', rel: 'noopener' },
        h('img', { src: `${address(ref, one)}&pixels=256`, alt: one.prompt ? `Drawn for “${one.prompt}”` : 'Drawn to show it', title: one.prompt, loading: 'lazy', width: 128, height: 128 }))))),
    known.report ? h('section', { class: 'report' },
      h('header', { class: 'report-head' }, h('h3', null, 'Report ', h('span', { class: `chip ${VERDICTS[known.verdict] ?? ''}` }, known.verdict)),
        h('span', { class: 'chips' }, h('a', { href: `${review}/report` }, 'Compare and review'), h('a', { href: review }, 'Blind votes'))),
      known.goal && h('p', null, known.goal),
      h('ul', { class: 'checks', 'aria-label': 'Failure checks' }, CHECKS.map((name) => check(name, known.checks[name]))),
      h('details', { class: 'more' }, h('summary', null, 'Every score'), scores(known)),
      h('details', { class: 'more' }, h('summary', null, 'What the verdict rests on'), h('ul', { class: 'reasons' }, known.reasons.map((reason) => h('li', null, reason)))))
      : known.is_withheld ? h('section', { class: 'report' },
        h('p', null, 'It was evaluated, and there are pairs that you have not voted on. Whoever has seen the report votes no more.'),
        h('p', { class: 'chips' }, h('a', { class: 'primary', href: review }, 'Vote blind'), h('button', { type: 'button', class: 'plain', on: { click: onRead } }, 'Show the report')))
        : h('p', { class: 'muted' }, 'It was not evaluated.'),
    (known.reviews.length > 0 || known.votes.some(Boolean)) && h('section', null, h('h3', null, 'Reviews'),
      known.votes.some(Boolean) && h('p', { class: 'muted' }, `Blind votes: ${known.votes[0]} for it, ${known.votes[1]} for what it would replace, ${known.votes[2]} for neither`),
      h('ul', { class: 'reviews' }, known.reviews.map((one) => h('li', null,
        chip(one.decision, one.decision === 'approve' ? 'good' : 'bad'), ' ', h('strong', null, one.reviewer), ' ', h('span', { class: 'muted' }, ago(one.time), one.is_current ? '' : ', of an earlier report'),
        one.note && h('p', { class: 'reason' }, `“${one.note}”`))))),
    known.documents.length > 0 && h('p', { class: 'muted small' }, known.documents.flatMap((one, index) => [index ? ' · ' : '', ...documentTold(ref, one)])),
  ];
}

/** A document in words; a filed review is a file to have. @param {string} ref @param {any} one */
function documentTold(ref, one) {
  const told = `${one.kind} ${short(one.digest)}`;
  return [one.kind === 'review' ? h('a', { href: filedAddress(ref, one.digest), download: '' }, told) : told, ` by ${one.actor}, ${ago(one.time)}`];
}

/** @param {string} name @param {any} said */
function check(name, said) {
  const [tone, sign] = STATES[said?.state ?? 'not_checked'] ?? ['', '–'];
  const words = (said?.state ?? 'not_checked').replaceAll('_', ' ');
  return h('li', { class: `chip ${tone}`, title: [words, said?.by, said?.note].filter(Boolean).join(' · ') },
    h('span', { 'aria-hidden': 'true' }, sign), name.replaceAll('_', ' '), h('span', { class: 'visually-hidden' }, `: ${words}`));
}

/** @param {Known} known */
function scores(known) {
  return h('div', { class: 'table-scroll', tabindex: 0, role: 'region', 'aria-label': 'Every score' }, h('table', null,
    h('thead', null, h('tr', null, h('th', { scope: 'col' }, 'Score'), h('th', { scope: 'col', class: 'number' }, 'Value'), h('th', { scope: 'col', class: 'number' }, 'Interval'), h('th', { scope: 'col', class: 'number' }, 'Before'))),
    h('tbody', null, known.scores.map((one) => h('tr', null,
      h('th', { scope: 'row', title: one.reason }, one.name.replaceAll('_', ' ')),
      h('td', { class: 'number' }, one.state === 'measured' ? scored(one) : 'not measured'),
      h('td', { class: 'number' }, one.low === undefined ? '–' : `${number(one.low)} to ${number(one.high)}`),
      h('td', { class: 'number' }, number(one.baseline)))))));
}

/** @param {any} release */
function withdrawal(release) {
  const why = release.purge_reason || release.quarantine_reason || release.yank_reason;
  return release.state !== 'live' && h('p', { class: 'notice' }, `${release.state}${why ? `: ${why}` : ''}`);
}

/** @param {any} release */
function members(release) {
  return release.members.length > 0 && h('section', null, h('h3', null, 'Members'),
    h('ul', { class: 'reviews' }, release.members.map((/** @type {any} */ one) => h('li', null, h('a', { href: `#/styles/${part(one.adapter)}` }, `${one.adapter} ${one.version}`), ` × ${number(one.weight)}`))));
}

/** @param {Element} place @param {string} style @param {string} version @param {AbortSignal} signal */
async function listFiles(place, style, version, signal) {
  try {
    const files = await ask(`styles/${part(style)}/files?version=${encodeURIComponent(version)}`, { signal });
    fill(place, h('ul', null, files.map((/** @type {any} */ one) => h('li', null,
      h('span', { class: 'mono file-name' }, one.name), h('span', { class: 'muted' }, ` ${size(one.bytes)} · ${short(one.digest)}`)))));
  } catch (error) {
    if (error instanceof ApiError) fill(place, h('p', { class: 'muted' }, error.message));
  }
}

/** @param {string} ref @param {any} picture */
function address(ref, picture) {
  return `/api/picture?ref=${encodeURIComponent(ref)}&evidence=${encodeURIComponent(picture.evidence)}&digest=${encodeURIComponent(picture.digest)}`;
}
