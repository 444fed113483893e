// SPDX-License-Identifier: Apache-2.0
// The six labels: what may be wrong with a picture, in the order of their keys.
// @ts-check

/** @type {[string, string][]} */
export const LABELS = [
  ['prompt_drift', 'Not what was asked'], ['style_mismatch', 'Not the style'], ['artifact', 'Damaged'],
  ['copyright', 'Somebody’s work'], ['portrait', 'Somebody’s face'], ['review_failure', 'Should not pass'],
];
