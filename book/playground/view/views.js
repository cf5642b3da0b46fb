// All pictures of a playground, and the sentences that say the same.

import { Canvas, colours } from './canvas.js';
import { drawBars, drawLosses } from './charts.js';
import { say } from './dom.js';
import { LossHistory } from './history.js';
import { drawPicture } from './pictures.js';
import { decades } from './scale.js';
import { bars, called, numbers, picture, summary } from './words.js';

/**
 * @typedef {import('../simulation.js').Side} Side
 * @typedef {import('../simulation.js').Survey} Survey
 * @typedef {import('../simulation.js').Shown} Shown
 */

const SAY_EVERY = 1500; // milliseconds between sentences, which a screen reader reads out

/**
 * @param {Element} root
 * @returns {(message: any) => void} takes the thread's messages
 */
export function bindViews(root) {
  const colour = colours(root);
  const slow = matchMedia('(prefers-reduced-motion: reduce)').matches;
  const canvases = (/** @type {string} */ name) =>
    Array.from(
      root.querySelectorAll(`canvas.${name}`),
      (element) => new Canvas(/** @type {HTMLCanvasElement} */ (element), all),
    );
  const [pictures, gradients, ratios, losses] = ['picture', 'gradient', 'ratio', 'losses'].map(
    (name) => canvases(`pg-${name}`),
  );
  const heads = [...root.querySelectorAll('.pg-head')];
  const says = root.querySelector('.pg-says');

  let history = new LossHistory();
  /** The axes of gradients and ratios. @type {import('./scale.js').Range[]} */
  let ranges = [];
  /** @type {{steps: number, playing: boolean, sides: Side[]}} */
  let now;
  /** @type {Survey[]} */
  let survey = [];
  /** @type {Shown} */
  let shown;
  let surveyed = false; // since it was last drawn
  let waiting = false;
  let drawn = 0;
  let said = -Infinity;
  let later = 0;

  function all() {
    surveyed = true;
    request();
  }

  function request() {
    if (waiting || !now) return;
    waiting = true;
    const wait = slow ? Math.max(0, drawn + 500 - performance.now()) : 0;
    setTimeout(() => requestAnimationFrame(draw), wait);
  }

  function draw() {
    waiting = false;
    drawn = performance.now();
    const { sides, steps, playing } = now;
    if (survey.length !== sides.length) return;
    say(root.querySelector('.pg-play'), playing ? 'Pause' : 'Play');
    say(root.querySelector('.pg-steps'), `step ${steps}`);
    root.classList.toggle('pg-single', sides.length === 1);

    clearTimeout(later);
    const telling = drawn - said > SAY_EVERY;
    if (telling) {
      said = drawn;
      say(says, summary(steps, sides, survey));
    } else later = setTimeout(all, SAY_EVERY);

    sides.forEach((side, index) => {
      if (surveyed) {
        const [name, text] = heads[index].children;
        say(name, called(side.kind));
        say(text, numbers(side, survey[index]));
        /** @type {HTMLElement} */ (name).style.setProperty('--pg-own', colour(side.kind));
        drawPicture(pictures[index], colour, side.kind, shown, survey[index].field);
      }
      if (telling) pictures[index].describe(picture(side, survey[index], shown));
    });
    const charts = /** @type {const} */ ([
      [gradients, 'gradient', 'gradient norm', 'layer'],
      [ratios, 'ratio', 'branch over shortcut', 'block'],
    ]);
    charts.forEach(([places, key, what, each], which) => {
      if (!places.length) return;
      const range = decades(sides.flatMap((side) => [...side[key]]), ranges[which]);
      ranges[which] = range;
      sides.forEach((side, index) => {
        drawBars(places[index], colour, side[key], side.kind, range);
        if (telling) places[index].describe(bars(`${called(side.kind)}, ${what}`, each, side[key]));
      });
    });
    if (losses.length && surveyed) {
      drawLosses(losses[0], colour, history.points, sides.map(({ kind }) => kind));
      if (telling) losses[0].describe(`Loss by step. ${says?.textContent}`);
    }
    surveyed = false;
  }

  new MutationObserver(all).observe(document.documentElement, { attributeFilter: ['data-theme'] });

  return (message) => {
    now = message;
    if (message.examples) {
      shown = message.examples;
      history = new LossHistory();
      ranges = [];
    }
    if (message.survey) {
      survey = message.survey;
      const reached = survey.flatMap(({ train, test }) => [train.loss, test.loss]);
      history.add(now.steps, reached);
      surveyed = true;
    }
    request();
  };
}
