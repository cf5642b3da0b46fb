// Pages that were visited can be read without a network. The network is always asked first, so
// that nothing old is shown after an update; what it answered is kept for when it doesn't.
// The build sets the version: another build has another cache, and throws this one away.
'use strict';
const OURS = 'residual-course ' + self.registration.scope + ' ';
const CACHE = OURS + '@VERSION@';

self.addEventListener('install', () => self.skipWaiting());

const ours = (url) => typeof url === 'string' && url.startsWith(self.registration.scope);
const keep = async (url, answer) => {
  if (answer.ok && answer.type === 'basic') await (await caches.open(CACHE)).put(url, answer);
};
// Never from the browser's own cache without asking whether it is new: a page and its style are
// of one build.
const fresh = (url) => fetch(url, { cache: 'no-cache' });
const renew = (url) => fresh(url).then((answer) => keep(url, answer)).catch(() => {});

self.addEventListener('activate', (event) => {
  const tidy = async () => {
    for (const name of await caches.keys()) {
      if (!name.startsWith(OURS) || name === CACHE) continue;
      // What the reader had, in its new form.
      const had = await (await caches.open(name)).keys();
      await Promise.all(had.map(({ url }) => renew(url)));
      await caches.delete(name);
    }
    await self.clients.claim();
  };
  event.waitUntil(tidy());
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET' || !ours(request.url)) return;
  const answer = async () => {
    try {
      const found = await fresh(request.url);
      event.waitUntil(keep(request.url, found.clone()));
      return found;
    } catch (error) {
      // A link may have a query (a state of the playground): the page is the same.
      const kept = await caches.match(request.url, { ignoreSearch: request.mode === 'navigate' });
      if (kept) return kept;
      throw error;
    }
  };
  event.respondWith(answer());
});

// The first page is there before this worker is: it says what it is made of.
self.addEventListener('message', ({ data }) => {
  if (!Array.isArray(data)) return;
  for (const url of data.filter(ours)) renew(url);
});
