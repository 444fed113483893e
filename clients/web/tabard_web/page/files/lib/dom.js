// SPDX-License-Identifier: Apache-2.0
// Makes elements. Every text that comes in becomes a text node: there is no other way to put words
// on the page. In: names, attributes, children. Out: elements.
// @ts-check

/** @typedef {Node | string | number | null | undefined | false} Child */
/** @typedef {{ [name: string]: unknown }} Attributes */

const PROPERTIES = new Set(['value', 'checked', 'disabled', 'hidden', 'open', 'selected', 'required']);
const ADDRESSES = new Set(['href', 'src', 'action', 'formaction']);
const SVG = 'http://www.w3.org/2000/svg';

/**
 * Makes an element of HTML.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Attributes | null} [attributes] names as in HTML; `on` holds listeners by event.
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  dress(element, attributes ?? {});
  element.append(...nodes(children));
  return element;
}

/**
 * Makes an element of SVG.
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Attributes | null} [attributes]
 * @param {...(Child | Child[])} children
 * @returns {SVGElementTagNameMap[K]}
 */
export function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  dress(element, attributes ?? {});
  element.append(...nodes(children));
  return /** @type {SVGElementTagNameMap[K]} */ (element);
}

/**
 * Puts children in place of those that are there.
 * @param {Element} element
 * @param {...(Child | Child[])} children
 */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
}

/** @param {Element} element @param {Attributes} attributes */
function dress(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) {
      if (PROPERTIES.has(name)) /** @type {any} */ (element)[name] = value ?? false;
    } else if (name === 'on') {
      for (const [event, listener] of Object.entries(/** @type {any} */ (value))) {
        element.addEventListener(event, /** @type {EventListener} */ (listener));
      }
    } else if (PROPERTIES.has(name)) {
      /** @type {any} */ (element)[name] = value;
    } else {
      element.setAttribute(name, checked(name, value === true ? '' : String(value)));
    }
  }
}

/**
 * Lets no attribute run anything: none is a handler, and addresses lead to this gateway alone.
 * @param {string} name @param {string} value
 */
function checked(name, value) {
  const isOurs = !ADDRESSES.has(name) || /^(#|blob:|\/(?!\/))/.test(value);
  if (name.startsWith('on') || name === 'style' || !isOurs) {
    throw new Error(`no element may have ${name}="${value}"`);
  }
  return value;
}

/** @param {(Child | Child[])[]} children @returns {(Node | string)[]} */
function nodes(children) {
  return /** @type {any[]} */ (children.flat(Infinity)).filter(
    (one) => one !== null && one !== undefined && one !== false,
  ).map((one) => (one instanceof Node ? one : String(one)));
}
