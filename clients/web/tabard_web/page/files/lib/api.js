// SPDX-License-Identifier: Apache-2.0
// Asks the gateway. Out: what it answers, or an ApiError in its words.
// @ts-check

/** What failed, what to do, and the stable reason. */
export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {{ reason: string, hint?: string, field?: string | null, status?: number }} told
   */
  constructor(message, told) {
    super(message);
    this.name = 'ApiError';
    this.reason = told.reason;
    this.hint = told.hint ?? '';
    this.field = told.field ?? null;
    this.status = told.status ?? 0;
  }
}

/** Tells of sessions that have ended: an event `refused` with the error as its detail. */
export const session = new EventTarget();

/** @typedef {{ method?: string, body?: unknown, signal?: AbortSignal, type?: string }} Asked */

/**
 * Asks for JSON.
 * @param {string} path below `/api/`; parts that people named go through `part`.
 * @param {Asked} [asked] a body that is no Blob is sent as JSON.
 * @returns {Promise<any>}
 */
export async function ask(path, asked = {}) {
  const answer = await send(path, asked);
  if (answer.status === 204) return null;
  try {
    return await answer.json();
  } catch (error) {
    if (asked.signal?.aborted) throw error;
    throw told(null, answer.status);
  }
}

/**
 * Asks, and gives the answer as it is.
 * @param {string} path
 * @param {Asked} [asked]
 * @returns {Promise<Response>}
 */
export async function send(path, asked = {}) {
  /** @type {Record<string, string>} */
  const headers = { 'X-Tabard-Page': '1' };
  let body = /** @type {BodyInit | undefined} */ (undefined);
  if (asked.body instanceof Blob) {
    headers['Content-Type'] = asked.type ?? 'application/octet-stream';
    body = asked.body;
  } else if (asked.body !== undefined) {
    headers['Content-Type'] = 'application/json';
    body = JSON.stringify(asked.body);
  }
  let answer;
  try {
    answer = await fetch(`/api/${path}`, {
      method: asked.method ?? 'GET', headers, body, signal: asked.signal ?? null,
    });
  } catch (error) {
    if (asked.signal?.aborted) throw error;
    throw new ApiError('The gateway does not answer.', {
      reason: 'GATEWAY_AWAY', hint: 'See whether it runs, and try again.',
    });
  }
  if (answer.ok) return answer;
  throw await failure(answer);
}

/**
 * Asks for a file.
 * @param {string} path
 * @param {Asked} [asked]
 */
export async function askFile(path, asked = {}) {
  const answer = await send(path, asked);
  try {
    return await answer.blob();
  } catch (error) {
    if (asked.signal?.aborted) throw error;
    throw told(null, answer.status);
  }
}

/** Makes a part of a path of what somebody named; `/` within it parts it further.
 * @param {string} name */
export function part(name) {
  return name.split('/').map(encodeURIComponent).join('/');
}

/**
 * Makes the error of what the gateway says has failed, and tells when that ends the session.
 * @param {any} told @param {number} status
 */
export function told(told, status) {
  const said = told?.error ?? {};
  const error = new ApiError(said.message || 'The gateway failed.', {
    reason: said.reason || 'GATEWAY_FAILED', hint: said.hint, field: said.field, status,
  });
  if (status === 401) session.dispatchEvent(new CustomEvent('refused', { detail: error }));
  return error;
}

/** @param {Response} answer */
async function failure(answer) {
  try {
    return told(await answer.json(), answer.status);
  } catch {
    return told(null, answer.status);
  }
}
