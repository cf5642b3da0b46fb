// The theme's print button brings its action as an attribute, which the security policy forbids.
// The build turns the attribute into data-action; this does what it says.
"use strict";
const actions = { print: () => window.print() };
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-action]");
  if (button && Object.hasOwn(actions, button.dataset.action)) actions[button.dataset.action]();
});

// The playground's script comes when the playground comes near: most visitors first read.
const playgrounds = document.querySelectorAll(".pg");
const folder = new URL("playground/", document.currentScript.src);
const near = new IntersectionObserver(
  (seen) => {
    if (!seen.some((place) => place.isIntersecting)) return;
    near.disconnect();
    const script = document.createElement("script");
    script.src = new URL("playground.js", folder);
    document.head.append(script);
  },
  { rootMargin: "200px" },
);
playgrounds.forEach((place) => near.observe(place));
