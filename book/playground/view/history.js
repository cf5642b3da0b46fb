// Losses so far, for a chart: never more points than it can show.

const MOST = 400;

export class LossHistory {
  /** @type {{steps: number, values: number[]}[]} */
  points = [];
  /** Points nearer than this to the last one replace it. */
  #apart = 1;

  /** @param {number} steps @param {number[]} values */
  add(steps, values) {
    const { points } = this;
    const before = points.at(-2);
    if (before && steps - before.steps < this.#apart) points.pop();
    points.push({ steps, values });
    if (points.length <= MOST) return;
    this.points = points.filter((_, index) => index % 2 === 0 || index === points.length - 1);
    this.#apart = (2 * steps) / MOST;
  }
}
