// SPDX-License-Identifier: Apache-2.0
// How the server stands now: state, queue, steps, memory, residents, registry, canaries. It asks
// again every other second, for as long as somebody looks; for the other servers of the registry
// seldom, for they tell of themselves seldom.
// @ts-check
import { ask } from '../lib/api.js';
import { fill, h, svg } from '../lib/dom.js';
import { ago, counted, duration, number, short, size } from '../lib/format.js';
import { chip } from '../lib/parts.js';
import { Screen } from '../lib/screen.js';

const EVERY_MS = 2000;
const KEPT = 60;
const REPLICAS_EVERY_MS = 15_000;
const CLOCK_SECONDS = 5;
const LAG_SECONDS = 60;
const STATES = /** @type {Record<string, string>} */ ({ serving: 'good', degraded: 'warn', draining: 'warn', stalled: 'bad', stale: 'bad' });
const SAYS = /** @type {Record<string, string>} */ ({
  serving: 'New images are taken.', degraded: 'New images are taken, though the registry is not heard of.', draining: 'It finishes what it has, and takes nothing new.',
  stalled: 'What draws is not heard of; nothing new is taken.', stale: 'The registry is not heard of; nothing new is taken.',
});
const MEMORY = [['base_bytes', 'base'], ['slot_bytes', 'slots'], ['merged_bytes', 'merged copy'], ['gathered_bytes', 'kept factors'], ['activation_bytes', 'a full batch']];

/** @typedef {{ at: number, steps: number, rowSteps: number, waiting: number, running: number }} Beat */

class Operate extends Screen {
  /** @type {Beat[]} */
  #beats = [];
  #timer = 0;
  /** @type {any} */
  #servers = null;
  #askedAt = -Infinity;

  concerns() {
    return true;
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    clearTimeout(this.#timer);
  }

  async load() {
    clearTimeout(this.#timer);
    try {
      if (performance.now() - this.#askedAt > REPLICAS_EVERY_MS) {
        this.#askedAt = performance.now();
        this.#servers = await ask('operate/replicas', { signal: this.signal });
      }
      const told = await ask('operate', { signal: this.signal });
      this.#beats.push({ at: performance.now(), steps: told.status.steps, rowSteps: told.status.row_steps, waiting: told.status.rows_waiting, running: told.status.rows_running });
      // A server that began anew counts from nothing.
      if ((this.#beats.at(-2)?.steps ?? 0) > told.status.steps) this.#beats.splice(0, this.#beats.length - 1);
      this.#beats.splice(0, this.#beats.length - KEPT);
      if (!isReadOut(this)) this.#draw(told);
    } finally {
      this.#timer = window.setTimeout(() => { if (!document.hidden) this.reload(); else this.#wait(); }, EVERY_MS);
    }
  }

  #wait() {
    document.addEventListener('visibilitychange', () => this.reload(), { once: true, signal: this.signal });
  }

  /** @param {any} told */
  #draw({ status, canaries, canaries_failure: failure }) {
    fill(this,
      h('div', { class: 'operate-head' }, h('h1', null, 'Operate'), chip(status.state || 'unknown', STATES[status.state] ?? ''), h('span', { class: 'muted' }, SAYS[status.state] ?? '')),
      status.causes.map((/** @type {any} */ cause) => h('p', { class: 'notice' }, `${cause.message} (${cause.reason}, for ${duration(cause.seconds)})`)),
      h('div', { class: 'tiles' },
        tile('Waiting', number(status.rows_waiting), 'images in the queue', spark(this.#beats.map((one) => one.waiting))),
        tile('Drawing', number(status.rows_running), `images; up to ${status.memory_plan?.rows_per_step ?? '?'} share a step`, spark(this.#beats.map((one) => one.running))),
        tile('Step', stepTime(this.#beats), rowsTold(this.#beats), spark(stepTimes(this.#beats))),
        tile('Registry', `#${status.registry_seq}`, status.registry_lag_seconds < 60 ? `records read; answered ${duration(status.registry_lag_seconds)} ago` : `out of reach for ${duration(status.registry_lag_seconds)}`, null, status.registry_lag_seconds >= 60 ? 'bad' : '')),
      h('div', { class: 'operate-body' },
        h('section', { class: 'panel wide' }, h('h2', null, 'Canaries'), canariesTold(canaries, failure)),
        h('section', { class: 'panel wide' }, h('h2', null, 'Servers of this registry'), servers(this.#servers, status)),
        h('section', { class: 'panel' }, h('h2', null, 'In memory'), memory(status), residents(status)),
        h('div', { class: 'operate-side' },
          h('section', { class: 'panel' }, h('h2', null, 'This server'), facts(status)),
          status.tenants.length > 0 && h('section', { class: 'panel' }, h('h2', null, 'Tenants'), tenants(status.tenants)))));
  }
}

/** Whether somebody marks words here, which drawing anew would take from them. @param {Element} screen */
function isReadOut(screen) {
  const marked = getSelection();
  return Boolean(marked?.toString()) && screen.contains(marked?.anchorNode ?? null);
}

/** @param {string} name @param {string} value @param {string} note @param {Node | null} picture @param {string} [tone] */
function tile(name, value, note, picture, tone = '') {
  return h('section', { class: `tile ${tone}`, 'aria-label': name }, h('h2', null, name), h('p', { class: 'tile-value' }, value), h('p', { class: 'muted small' }, note), picture);
}

/** @param {(number | null)[]} values */
function spark(values) {
  const known = values.filter((one) => one !== null);
  const top = Math.max(...known, 1);
  const points = values.flatMap((value, index) => value === null ? [] : [`${(index / (KEPT - 1)) * 120},${26 - (value / top) * 24}`]);
  return svg('svg', { class: 'spark', viewBox: '0 0 120 28', preserveAspectRatio: 'none', 'aria-hidden': 'true' }, svg('polyline', { points: points.join(' ') }));
}

/** Milliseconds of a step between beats; null: there was none. @param {Beat[]} beats */
function stepTimes(beats) {
  return beats.slice(1).map((beat, index) => {
    const before = /** @type {Beat} */ (beats[index]);
    const steps = beat.steps - before.steps;
    return steps > 0 ? (beat.at - before.at) / steps : null;
  });
}

/** @param {Beat[]} beats */
function stepTime(beats) {
  const last = stepTimes(beats).at(-1);
  return last ? duration(last / 1000) : 'idle';
}

/** @param {Beat[]} beats */
function rowsTold(beats) {
  const [before, now] = beats.slice(-2);
  if (!before || !now || now.steps === before.steps) return 'no step in the last 2 s';
  const steps = now.steps - before.steps;
  return `${number(steps / ((now.at - before.at) / 1000))} steps/s, ${number((now.rowSteps - before.rowSteps) / steps)} rows each`;
}

/** @param {any[]} canaries @param {any} failure */
function canariesTold(canaries, failure) {
  if (failure) return h('p', { class: 'muted' }, failure.message);
  if (!canaries.length) return h('p', { class: 'muted' }, 'None is open. ', h('code', { class: 'mono' }, 'tabard canary start REF'), ' starts one.');
  return h('ul', { class: 'canaries' }, canaries.map((one) => h('li', { class: 'canary' },
    h('p', null, h('a', { href: `#/styles/${one.adapter}` }, h('strong', null, one.adapter)), ' ', chip(one.channel), ' ',
      h('span', { class: 'mono' }, one.candidate_version), ' beside ', h('span', { class: 'mono' }, one.baseline_version),
      h('span', { class: 'muted' }, ` · ${one.started_by}, ${ago(one.started_at)}`)),
    evidence(one),
    h('p', { class: 'muted small' }, [
      `${one.losses} of ${counted(one.units, 'pair')} lost (at most ${one.units_max})`,
      one.share ? `${number(one.share * 100)} % of the callers` : 'nobody is served it',
      ...one.streams.map((/** @type {any} */ stream) => `${stream.name}: ${stream.losses}/${stream.units}, E ${number(stream.e_value)}`),
    ].join(' · ')),
    one.said && h('p', null, one.said))));
}

/** The evidence against a candidate, on a scale of powers. @param {any} canary */
function evidence(canary) {
  const bound = Math.max(canary.e_value_bound, 1.01);
  const share = Math.min(1, Math.max(0, Math.log(Math.max(canary.e_value, 1)) / Math.log(bound)));
  const meter = h('div', { class: 'meter', role: 'meter', 'aria-label': 'Evidence that the candidate is worse', 'aria-valuemin': 1, 'aria-valuemax': bound, 'aria-valuenow': Math.min(canary.e_value, bound), 'aria-valuetext': `E ${number(canary.e_value)} of ${number(bound)}` }, h('span', { class: share > 0.6 ? 'bad' : '' }));
  /** @type {HTMLElement} */ (meter.firstChild).style.setProperty('width', `${share * 100}%`);
  return h('div', { class: 'e-value' }, h('span', null, 'E ', h('strong', null, number(canary.e_value))), meter, h('span', { class: 'muted' }, `rolled back at ${number(bound)}`));
}

/** @param {any} status */
function memory(status) {
  const plan = status.memory_plan;
  if (!plan) return null;
  const total = MEMORY.reduce((sum, [name = '']) => sum + plan[name], 0);
  const bar = h('div', { class: 'memory', 'aria-hidden': 'true' }, MEMORY.map(([name = '']) => {
    const part = h('span', null);
    part.style.setProperty('flex-grow', String(plan[name] / total));
    return part;
  }));
  return h('div', null, bar,
    h('p', { class: 'legend small' }, MEMORY.map(([name = '', label = '']) => h('span', null, `${label} ${size(plan[name])}`)), plan.free_bytes > 0 && h('span', null, `of ${size(plan.free_bytes)} free at the start`)));
}

/** @param {any} status */
function residents(status) {
  if (!status.residents.length) return h('p', { class: 'muted' }, 'No style lies in memory.');
  return h('div', { class: 'table-scroll', tabindex: 0, role: 'region', 'aria-label': 'Styles in memory' }, h('table', null,
    h('thead', null, h('tr', null, h('th', { scope: 'col' }, 'Style'), h('th', { scope: 'col' }, 'Where'), h('th', { scope: 'col', class: 'number' }, 'Size'), h('th', { scope: 'col', class: 'number' }, 'Jobs'))),
    h('tbody', null, status.residents.map((/** @type {any} */ one) => h('tr', null,
      h('th', { scope: 'row' }, h('a', { href: `#/styles/${one.adapter}` }, one.adapter), ' ', h('span', { class: 'mono muted' }, one.version)),
      h('td', null, chip(status.merged_digests.includes(one.digest) ? 'merged copy' : one.tier, one.tier === 'slot' ? 'accent' : '')),
      h('td', { class: 'number' }, size(one.bytes)), h('td', { class: 'number' }, one.leases))))));
}

/** @param {any[]} all */
function tenants(all) {
  return h('table', null, h('thead', null, h('tr', null, h('th', { scope: 'col' }, 'Tenant'), h('th', { scope: 'col', class: 'number' }, 'Waiting'), h('th', { scope: 'col', class: 'number' }, 'Drawing'))),
    h('tbody', null, all.map((one) => h('tr', null, h('th', { scope: 'row' }, one.tenant || 'nobody in particular'), h('td', { class: 'number' }, one.rows_waiting), h('td', { class: 'number' }, one.rows_running)))));
}

/** The servers of the registry; what is unlike the one that is asked stands out. @param {any} told @param {any} status */
function servers(told, status) {
  if (!told) return null;
  if (told.failure) return h('p', { class: 'muted' }, told.failure.message);
  if (!told.replicas.length) return h('p', { class: 'muted' }, 'No server tells of itself: ', h('code', { class: 'mono' }, 'heartbeat_seconds'), ' is 0, or the first has yet to come.');
  return h('div', { class: 'table-scroll', tabindex: 0, role: 'region', 'aria-label': 'Servers of this registry' }, h('table', { class: 'servers' },
    h('thead', null, h('tr', null, ['Server', 'State', 'Tabard', 'Base'].map((name) => h('th', { scope: 'col' }, name)), ['Had read', 'Drawing', 'Waiting'].map((name) => h('th', { scope: 'col', class: 'number' }, name)), h('th', { scope: 'col' }, 'Heard of'))),
    h('tbody', null, told.replicas.map((/** @type {any} */ one) => server(one, told, status)))));
}

/** @param {any} one @param {any} told @param {any} status */
function server(one, told, status) {
  const ahead = one.clock_ahead_seconds;
  const behind = told.registry_seq - one.registry_seq;
  return h('tr', null,
    h('th', { scope: 'row' }, one.address || one.host || 'no name', ' ', h('span', { class: 'mono muted small', title: one.id }, one.id.slice(0, 8)), one.id === told.replica_id && [' ', chip('this one', 'accent')]),
    h('td', null, one.is_lost ? chip('lost', 'bad', 'It has not told of itself for long: it is gone, or cannot reach the store.') : chip(one.state || 'unknown', STATES[one.state] ?? ''),
      one.registry_lag_seconds >= LAG_SECONDS && [' ', chip('store out of reach', 'bad')],
      Math.abs(ahead) >= CLOCK_SECONDS && [' ', chip(`clock ${duration(Math.abs(ahead))} ${ahead > 0 ? 'ahead' : 'behind'}`, 'warn')]),
    h('td', null, one.version === status.version ? one.version : chip(one.version || 'unknown', 'warn', 'Another version than this one')),
    h('td', { class: 'mono' }, one.base_fingerprint === status.base_fingerprint ? short(one.base_fingerprint) : chip(`${one.base_family} ${short(one.base_fingerprint)}`, 'warn', 'Another base than this one')),
    h('td', { class: 'number', title: behind > 0 ? `${behind} behind when it was heard of` : '' }, `#${one.registry_seq}`),
    h('td', { class: 'number' }, one.rows_running), h('td', { class: 'number' }, one.rows_waiting),
    h('td', null, `${duration(one.age_seconds)} ago`));
}

/** @param {any} status */
function facts(status) {
  const told = [
    ['Up for', duration(status.uptime_seconds)], ['Tabard', status.version], ['Device', status.device],
    ['Base', `${status.base_family} · ${short(status.base_fingerprint)}`], ['From', status.base_source],
    ['Draws at', `${status.native_width} × ${status.native_height}`],
    ['Registry', short(status.registry_id)], ['Callers', status.identity.length ? status.identity.join(', ') : 'nobody is asked'],
    ['Content Credentials', status.c2pa ? `${status.c2pa.subject} (${status.c2pa.algorithm}), until ${status.c2pa.expires_at}` : 'off'],
    ['Safety check', status.safety ? `${status.safety.policy} by ${status.safety.model}${status.safety.failure ? `; failing: ${status.safety.failure}` : ''}` : 'off'],
    ['Steps so far', number(status.steps)],
    ...status.base_remarks.map((/** @type {string} */ remark) => ['Remark', remark]),
  ];
  return h('dl', { class: 'facts' }, told.flatMap(([name = '', value = '']) => [h('dt', null, name), h('dd', null, value)]));
}

customElements.define('tabard-operate', Operate);
