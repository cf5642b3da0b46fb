// Small help with elements. Text is only ever set as text, wherever it comes from.

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag @param {string} text
 * @param {Record<string, string>} [attributes]
 * @returns {HTMLElementTagNameMap[T]}
 */
export function make(tag, text, attributes = {}) {
  const element = document.createElement(tag);
  element.textContent = text;
  for (const name in attributes) element.setAttribute(name, attributes[name]);
  return element;
}

/**
 * Text is set only where it has changed, because that makes the browser lay out the page.
 * @param {Element | null} element @param {string} text
 */
export function say(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

/** @param {Element | null} element @param {() => void} press */
export function onClick(element, press) {
  element?.addEventListener('click', press);
}
