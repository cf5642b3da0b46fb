// What the playground's own thread does: messages in, snapshots out, so that the page never waits.
//
// In:  {state} what has been chosen, {play: true or false}, {step: number of steps}, {reset: true}
// Out: {steps, playing, sides, survey, examples} (see simulation.js; survey is null in most frames,
//      examples in all but the first one of a simulation), or {error: text}

import { makeData, readDigits } from './data.js';
import { Simulation } from './simulation.js';

/** @typedef {import('./state.js').State} State */

const FRAME = 1000 / 60; // milliseconds
const SHARE = 0.2; // of the time may go into surveys

/**
 * @param {(message: any) => void} post takes what goes out
 * @param {string} address of the script: digits.bin lies beside it
 * @returns {(message: any) => Promise<void>} takes what comes in
 */
export function serve(post, address) {
  /** @type {Simulation | null} */
  let simulation = null;
  let playing = false;
  let asked = 0; // how many simulations have been asked for
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let surveyed = -Infinity; // when the last survey ended
  let surveying = 0; // how long it took
  /** @type {Promise<ArrayBuffer> | undefined} */
  let digits;

  async function fetchDigits() {
    const answer = await fetch(new URL('digits.bin', address)).catch(() => {
      throw new Error("digits.bin can't be read: that needs a page from a server, not from a file");
    });
    if (!answer.ok || !answer.body) throw new Error(`digits.bin: ${answer.status}`);
    return new Response(answer.body.pipeThrough(new DecompressionStream('gzip'))).arrayBuffer();
  }

  /** @param {State} state */
  async function open(state) {
    const turn = ++asked;
    const { data: name, noise, seed } = state;
    if (name === 'digits') digits ??= fetchDigits();
    const data =
      name === 'digits'
        ? readDigits(await /** @type {Promise<ArrayBuffer>} */ (digits), noise, seed)
        : makeData(name, noise, seed);
    if (turn !== asked) return; // another one has been asked for since
    simulation = new Simulation(state, data);
    show(true, true);
  }

  /**
   * @param {boolean} [everything] whether to survey now, however long the last one took
   * @param {boolean} [opened] whether this is the first look at a simulation
   */
  function show(everything = false, opened = false) {
    if (!simulation) return;
    const sides = simulation.look(); // first: what a survey leaves behind isn't of a batch
    const start = performance.now();
    const due = everything || (start - surveyed) * SHARE > surveying;
    const survey = due ? simulation.survey() : null;
    if (due) {
      surveyed = performance.now();
      surveying = surveyed - start;
    }
    const examples = opened ? simulation.examples : null;
    post({ steps: simulation.steps, playing, sides, survey, examples });
  }

  function frame() {
    const start = performance.now();
    const speed = simulation?.state.speed ?? 0;
    for (let n = 0; n < speed && performance.now() - start < FRAME; n++) simulation?.step();
    show();
    timer = setTimeout(frame, Math.max(0, FRAME - (performance.now() - start)));
  }

  /** @param {boolean} on */
  function play(on) {
    clearTimeout(timer);
    playing = on;
    if (on) frame();
    else show(true);
  }

  return async (/** @type {any} */ message) => {
    try {
      if (message.state) {
        if (simulation?.tune(message.state)) show();
        else await open(message.state);
      }
      if (message.reset && simulation) await open(simulation.state);
      for (let n = 0; n < (message.step ?? 0); n++) simulation?.step();
      if (message.step) show(true);
      if (message.play !== undefined) play(message.play);
    } catch (error) {
      digits = undefined; // the next try asks the host again
      post({ error: String(error) });
    }
  };
}
