// SPDX-License-Identifier: Apache-2.0
// What happens in the registry, as it happens. Only a page that is looked at listens: browsers keep
// few connections to one place. Whoever comes back to a page has it look anew.
// @ts-check
import { ApiError, send, told } from './api.js';
import { events } from './stream.js';

/** @typedef {{ seq: number, time: string, actor: string, reason: string, actions: any[] }} Record_ */

const AGAIN_MS = 1000;

/**
 * Events: `record` (detail: the record), `changed` (something may have happened meanwhile) and
 * `standing` (detail: `here`, `away` or `refused`, and the error).
 */
class Live extends EventTarget {
  /** @type {AbortController | null} */
  #listening = null;
  #seq = 0;

  /** Listens for as long as the page is looked at. */
  start() {
    document.addEventListener('visibilitychange', () => this.#look());
    this.#look();
  }

  /** Listens anew, as somebody else. */
  restart() {
    this.#listening?.abort();
    this.#listening = null;
    this.#seq = 0;
    this.#look();
  }

  #look() {
    if (document.hidden) {
      this.#listening?.abort();
      this.#listening = null;
    } else if (!this.#listening) {
      this.#listening = new AbortController();
      this.#listen(this.#listening.signal);
    }
  }

  /** @param {AbortSignal} signal */
  async #listen(signal) {
    while (!signal.aborted) {
      try {
        for await (const event of events(await send('events', { signal }))) {
          if (this.#take(event.name, event.data)) return;
        }
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof ApiError && error.status === 401) return;
        this.#stand('away', error);
      }
      await new Promise((done) => setTimeout(done, AGAIN_MS));
    }
  }

  /** Takes an event; gives whether it was the last one. @param {string} name @param {any} data */
  #take(name, data) {
    if (name === 'record') {
      this.#seq = data.seq;
      this.dispatchEvent(new CustomEvent('record', { detail: data }));
    } else if (name === 'here') {
      const isBehind = this.#seq !== 0 && data.seq !== this.#seq;
      this.#seq = data.seq;
      this.#stand('here', null);
      if (isBehind) this.dispatchEvent(new Event('changed'));
    } else if (name === 'refused') {
      told(data, 401);
      return true;
    } else {
      this.#stand('away', told(data, 503));
    }
    return false;
  }

  /** @param {string} standing @param {unknown} error */
  #stand(standing, error) {
    this.dispatchEvent(new CustomEvent('standing', { detail: { standing, error } }));
  }
}

export const live = new Live();
