// Random numbers that a seed repeats on every machine: Math.random can't be seeded.

/**
 * xoshiro128** 1.1 (Blackman and Vigna 2018, https://prng.di.unimi.it/xoshiro128starstar.c):
 * 32 bits a draw, period 2^128 - 1.
 */
export class Random {
  /** @type {number | null} the second of a pair of normal numbers, until it is asked for */
  #spare = null;
  #state;

  /**
   * @param {number} seed a whole number
   * @param {number} [stream] one seed has many streams, so that more data leave the weights alone
   */
  constructor(seed, stream = 0) {
    // The authors advise to fill the state by another generator: splitmix32, a mixed counter.
    let counter = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(stream + 1, 0x85ebca77)) | 0;
    this.#state = Uint32Array.from({ length: 4 }, () => {
      counter = (counter + 0x9e3779b9) | 0;
      let z = Math.imul(counter ^ (counter >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      return z ^ (z >>> 15);
    });
  }

  /** @param {ArrayLike<number>} words the whole state, four words that aren't all 0 */
  static from(words) {
    const random = new Random(0);
    random.#state.set(words);
    return random;
  }

  /** 32 random bits, as a whole number from 0. */
  bits() {
    const s = this.#state;
    const mixed = Math.imul(s[1], 5);
    const result = Math.imul((mixed << 7) | (mixed >>> 25), 9) >>> 0;
    const shifted = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = (s[3] << 11) | (s[3] >>> 21);
    return result;
  }

  /** Even on [0, 1). */
  uniform() {
    return this.bits() / 2 ** 32;
  }

  /** Even among 0, ..., count - 1; the bias is below count / 2^32. @param {number} count */
  below(count) {
    return Math.floor(this.uniform() * count);
  }

  /** Normal with mean 0 and variance 1 (Box and Muller 1958). */
  normal() {
    if (this.#spare !== null) {
      const spare = this.#spare;
      this.#spare = null;
      return spare;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform())); // 1 - u is never 0
    const angle = 2 * Math.PI * this.uniform();
    this.#spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }
}
