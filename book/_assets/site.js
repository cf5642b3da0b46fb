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
