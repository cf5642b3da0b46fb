// Boxes that are wider inside than outside take the keyboard's focus, so that arrow keys scroll
// them. The theme measures every box of a chapter for this at once, which on a phone stops the page
// for half a second; the build leaves that out. An observer hears of a box when it is laid out, and
// that is when it comes near the view.
"use strict";
{
  const observer = new ResizeObserver((entries) => {
    const wide = entries.map(({ target }) => target.scrollWidth > target.clientWidth);
    entries.forEach(({ target }, i) => {
      if (wide[i]) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    });
  });
  const boxes = "pre, .cell_output > .output, .bd-article table, .katex-display";
  for (const box of document.querySelectorAll(boxes)) observer.observe(box);
}
