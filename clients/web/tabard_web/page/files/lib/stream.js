// SPDX-License-Identifier: Apache-2.0
// Reads server-sent events of an answer. In: the answer of a fetch. Out: names and JSON, one by one.
// Not EventSource: that sends no header, and does not say why it was refused.
// @ts-check
import { ApiError } from './api.js';

/** What is said where an answer breaks off. */
export function brokenOff() {
  return new ApiError('The gateway went away before it had told all.', {
    reason: 'GATEWAY_AWAY', hint: 'See whether it runs, and try again.',
  });
}

/**
 * Reads events to the end of the answer; throws ApiError where that breaks off.
 * @param {Response} answer
 * @returns {AsyncGenerator<{ name: string, data: any }, void, void>}
 */
export async function* events(answer) {
  if (!answer.body) return;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  try {
    for (;;) {
      const { value, done } = await reader.read().catch(() => { throw brokenOff(); });
      if (done) return;
      rest += value;
      const blocks = rest.split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) {
        const event = read(block);
        if (event) yield event;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** @param {string} block */
function read(block) {
  let name = '';
  let data = '';
  for (const line of block.split('\n')) {
    if (line.startsWith('event: ')) name = line.slice(7);
    else if (line.startsWith('data: ')) data += line.slice(6);
  }
  return name ? { name, data: JSON.parse(data || 'null') } : null;
}
