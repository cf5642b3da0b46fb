// The one script's two roles: in a page it shows the playground, in a worker it computes.

import { serve } from '../worker.js';
import { openPlayground } from './page.js';

if (typeof document === 'undefined') {
  const receive = serve(postMessage, location.href);
  addEventListener('message', ({ data }) => receive(data));
} else {
  const { src } = /** @type {HTMLScriptElement} */ (document.currentScript);
  for (const root of document.querySelectorAll('.pg')) {
    openPlayground(/** @type {HTMLElement} */ (root), src);
  }
}
