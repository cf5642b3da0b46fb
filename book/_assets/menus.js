// The menus above a page: a button and its list of links. The theme brings Bootstrap's script for
// them, 24 KB compressed; the build leaves it out.
"use strict";
for (const menu of document.querySelectorAll(".dropdown:has(> [data-bs-toggle=dropdown])")) {
  const button = menu.querySelector("[data-bs-toggle=dropdown]");
  const open = (yes) => {
    button.classList.toggle("show", yes);
    button.setAttribute("aria-expanded", yes);
  };
  const leave = (to) => menu.contains(to) || open(false);
  button.addEventListener("click", () => open(!button.classList.contains("show")));
  menu.addEventListener("focusout", (event) => leave(event.relatedTarget));
  document.addEventListener("click", (event) => leave(event.target));
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    open(false);
    button.focus();
  });
}
