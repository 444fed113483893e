// SPDX-License-Identifier: Apache-2.0
// Runs before anything is painted, so that a page which somebody has set to dark never flashes.
// @ts-check
{
  const chosen = localStorage.getItem('tabard-theme');
  if (chosen === 'dark' || chosen === 'light') document.documentElement.dataset.theme = chosen;
}
