// Where the arithmetic runs: in a thread of its own, or in the page where there can be none.

import { serve } from '../worker.js';

/**
 * @param {string} address of the script, which is the thread's too
 * @param {(message: any) => void} receive
 * @returns {(message: any) => void} send
 */
export function connect(address, receive) {
  // A page that was opened as a file may not start a thread.
  const here = () => serve(receive, address);
  /** @type {any[]} what a thread was sent before its first answer */
  const unanswered = [];
  /** @type {(message: any) => void} */
  let send;
  try {
    const worker = new Worker(address);
    const post = (/** @type {any} */ message) => worker.postMessage(message);
    worker.onmessage = ({ data }) => {
      send = post;
      worker.onerror = null;
      receive(data);
    };
    worker.onerror = () => {
      worker.terminate();
      send = here();
      unanswered.forEach(send);
    };
    send = (message) => {
      unanswered.push(message);
      post(message);
    };
  } catch {
    send = here();
  }
  return (message) => send(message);
}
