// The reader's marks: chapters read, exercises solved. They stay in this browser.
// What storage holds may be anything: a box is ticked by one text only, and nothing is shown of it.
"use strict";

// Storage of the course's keys. Where the browser refuses it, things last as long as the page.
window.courseStore = (() => {
  const prefix = "residual-course.";
  const memory = new Map();
  const stored = (act, otherwise) => {
    try {
      return act(localStorage);
    } catch {
      return otherwise();
    }
  };
  return {
    get: (key) => stored((s) => s.getItem(prefix + key), () => memory.get(key) ?? null),
    /** Keeps a text; false if it won't last longer than the page. */
    set: (key, text) =>
      stored(
        (s) => {
          s.setItem(prefix + key, text);
          return true;
        },
        () => {
          memory.set(key, text);
          return false;
        },
      ),
    remove: (key) => stored((s) => s.removeItem(prefix + key), () => memory.delete(key)),
    /** Takes away all that the course has kept. */
    clear: () =>
      stored(
        (s) => Object.keys(s).filter((key) => key.startsWith(prefix)).forEach((key) => s.removeItem(key)),
        () => memory.clear(),
      ),
  };
})();

(() => {
  const ticked = { exercise: "passed", read: "1" };
  for (const box of document.querySelectorAll("input[data-mark]")) {
    const key = box.dataset.mark;
    const text = ticked[key.split(".", 1)[0]];
    const says = box.closest(".rl-mark").querySelector("[role=status]");
    const show = () => {
      box.checked = window.courseStore.get(key) === text;
    };
    box.addEventListener("change", () => {
      if (!box.checked) window.courseStore.remove(key);
      else if (!window.courseStore.set(key, text)) {
        says.textContent = "This browser stores nothing, so it lasts until you leave the page.";
      }
    });
    window.addEventListener("storage", show);
    show();
    box.closest(".rl-mark").hidden = false;
  }
})();
