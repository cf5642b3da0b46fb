// node benchmarks/playground.mjs: milliseconds a training step takes, for the largest network of the playground.
import { KINDS, Network } from '../book/playground/engine.js';
import { Random } from '../book/playground/random.js';

const [depth, width, batch, steps] = [64, 16, 32, 100];
for (const norm of /** @type {const} */ (['none', 'batch'])) {
  for (const kind of Object.keys(KINDS)) {
    const random = new Random(0);
    const network = new Network({
      ...{ kind, depth, width, norm, activation: 'relu' },
      ...{ inputs: 2, outputs: 2, regression: false, capacity: batch },
    });
    network.initialise('xavier', random);
    const x = Float32Array.from({ length: batch * 2 }, () => random.normal());
    const y = Float32Array.from({ length: batch }, (_, row) => (x[2 * row] > 0 ? 1 : 0));
    const times = Array.from({ length: steps }, () => {
      const start = performance.now();
      network.step(x, y, batch, 1e-4, 0.9);
      return performance.now() - start;
    });
    // On a busy machine the fastest tenth tells what the step itself takes.
    times.sort((a, b) => a - b);
    const [fast, median] = [times[steps / 10], times[steps / 2]];
    const label = `${kind.padEnd(14)} norm ${norm.padEnd(6)}`;
    console.log(`${label} ${median.toFixed(2)} ms a step, the fastest tenth ${fast.toFixed(2)}`);
  }
}
