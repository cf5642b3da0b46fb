import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { defaults } from '../../book/playground/state.js';
import { serve } from '../../book/playground/worker.js';

const posted = [];
const address = 'http://localhost/playground.js';
const send = serve((message) => posted.push(structuredClone(message)), address);

const state = { ...defaults(), depth: 4, width: 4 };
const last = () => posted.at(-1);

test('opens, steps, plays, pauses, tunes and resets', async () => {
  await send({ step: 3 }); // before anything is open
  assert.deepEqual(posted, []);
  await send({ state });
  assert.equal(last().steps, 0);
  assert.equal(last().sides.length, 2);
  assert.equal(last().survey.length, 2);
  assert.equal(last().examples.y.length, 256);
  await send({ step: 3 });
  assert.equal(last().steps, 3);
  assert.equal(last().examples, null);
  await send({ play: true });
  await wait(100);
  await send({ play: false });
  const { steps, playing } = last();
  assert.ok(steps > 3 && !playing && posted.length > 4);
  await wait(50);
  assert.equal(last().steps, steps);
  await send({ state: { ...state, cut: [1] } });
  assert.equal(last().steps, steps);
  assert.equal(last().sides[0].ratio[0], 0);
  await send({ reset: true });
  assert.equal(last().steps, 0);
  assert.equal(last().sides[0].ratio[0], 0); // what was chosen stays
});

test('of two that are asked for at once the later one counts', async () => {
  await Promise.all([
    send({ state: { ...state, depth: 6 } }),
    send({ state: { ...state, depth: 8 } }),
  ]);
  assert.equal(last().sides[0].gradient.length, 8);
});

test('an error is a message', async () => {
  await send({ state: { ...state, kind: 'none such' } });
  assert.match(last().error, /kind must be one of/);
  globalThis.fetch = async () => new Response(null, { status: 404 });
  await send({ state: { ...state, data: 'digits' } });
  assert.match(last().error, /digits.bin: 404/);
  globalThis.fetch = async () => {
    throw new TypeError('Failed to fetch'); // as from a file
  };
  await send({ state: { ...state, data: 'digits' } });
  assert.match(last().error, /needs a page from a server/);
});
