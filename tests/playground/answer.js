// node answer.js fixtures.json: what the engine makes of the cases that test_engine.py wrote.
import { readFileSync } from 'node:fs';
import { Network } from '../../book/playground/engine.js';

const decode = (text) => new Float32Array(new Uint8Array(Buffer.from(text, 'base64')).buffer);
const encode = (values) =>
  Buffer.from(new Uint8Array(Float32Array.from(values).buffer)).toString('base64');

const answer = ({ spec, parameters, x, y, cut, rate, momentum, rows, steps }) => {
  const [inputs, targets] = [decode(x), decode(y)];
  const count = targets.length;
  const network = new Network({ ...spec, capacity: count });
  const start = () => {
    network.initialise('he', { normal: () => 0 }); // for the running statistics
    network.parameters.set(decode(parameters));
  };
  start();
  for (const block of cut) network.blocks[block].cut = true;

  const output = network.forward(inputs, count, true).slice();
  const loss = network.loss(targets);
  network.backward();
  const first = {
    output,
    loss: [loss],
    gradients: network.gradients.slice(),
    gradientNorms: network.gradientNorms(),
    ratios: network.ratios(),
  };

  start();
  const losses = [];
  for (let step = 0; step < steps; step++) {
    const from = (step * rows) % count;
    losses.push(
      network.step(
        inputs.subarray(from * spec.inputs, (from + rows) * spec.inputs),
        targets.subarray(from, from + rows),
        rows,
        rate,
        momentum,
      ),
    );
  }
  const tested = network.evaluate({ x: inputs, y: targets, count });
  const trained = {
    losses,
    parameters: network.parameters,
    statistics: network.statistics,
    outputAfter: network.forward(inputs, count),
    tested: [tested.loss, ...(spec.regression ? [] : [tested.error])],
  };
  return Object.fromEntries(
    Object.entries({ ...first, ...trained }).map(([name, values]) => [name, encode(values)]),
  );
};

const cases = JSON.parse(readFileSync(process.argv[2], 'utf8'));
console.log(JSON.stringify(cases.map(answer)));
