// Some buttons bring their action as an attribute, which the security policy forbids. The build
// turns the attribute into data-action; this does what it says.
"use strict";
const actions = {
  print: () => window.print(),
  "hide-matches": () => SphinxHighlight.hideSearchWords(),
};
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-action]");
  if (button && Object.hasOwn(actions, button.dataset.action)) actions[button.dataset.action]();
});

// Offline reading, see offline.js. A folder on the disk (file:) needs no worker, and may have none.
if ("serviceWorker" in navigator && location.protocol.startsWith("http")) {
  addEventListener("load", async () => {
    try {
      const root = new URL(document.documentElement.dataset.content_root, location.href);
      await navigator.serviceWorker.register(new URL("sw.js", root));
      const { active } = await navigator.serviceWorker.ready;
      const parts = performance.getEntriesByType("resource").map(({ name }) => name);
      active.postMessage([location.href.split("#")[0], ...parts]);
    } catch {
      // Private windows refuse: the page is read online.
    }
  });
}

// The playground's script comes when a small one comes near: most visitors of that page only read.
// On its own page it comes at once, since a link to a story may begin far below it.
const folder = new URL("playground/", document.currentScript.src);
const near = new IntersectionObserver(
  (seen) => {
    if (seen.some((place) => place.isIntersecting)) fetchPlayground();
  },
  { rootMargin: "200px" },
);
function fetchPlayground() {
  near.disconnect();
  const script = document.createElement("script");
  script.src = new URL("playground.js", folder);
  document.head.append(script);
}
for (const place of document.querySelectorAll(".pg")) {
  if (place.matches(".pg-small")) near.observe(place);
  else fetchPlayground();
}
