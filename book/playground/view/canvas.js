// A canvas as large as its place on the page, and the page's colours.

export class Canvas {
  width = 0;
  height = 0;

  /** @param {HTMLCanvasElement} element @param {() => void} redraw when its size has changed */
  constructor(element, redraw) {
    this.element = element;
    const pen = (this.pen = /** @type {CanvasRenderingContext2D} */ (element.getContext('2d')));
    new ResizeObserver(([{ contentRect: { width, height } }]) => {
      const sharp = Math.min(2, devicePixelRatio);
      element.width = sharp * (this.width = Math.round(width));
      element.height = sharp * (this.height = Math.round(height));
      pen.scale(sharp, sharp);
      redraw();
    }).observe(element);
  }

  /** Empty the canvas, and give its pen. */
  clear() {
    const { pen } = this;
    pen.clearRect(0, 0, this.width, this.height);
    pen.font = '11px system-ui, sans-serif';
    pen.textBaseline = 'middle';
    return pen;
  }

  /** What a screen reader says of it. @param {string} text */
  describe(text) {
    this.element.setAttribute('aria-label', text);
  }
}

/**
 * The page's colours, as playground.css names them.
 * @param {Element} root
 * @returns {(name: string) => string}
 */
export function colours(root) {
  const style = getComputedStyle(root);
  return (name) => style.getPropertyValue(`--pg-${name}`).trim();
}

/** Red, green and blue of #rrggbb. @param {string} colour */
export const channels = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
