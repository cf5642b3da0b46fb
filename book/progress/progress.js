// The page of progress: what this browser keeps of the course, as tables, as a file, or cleared.
// Stored texts and files may hold anything: only what fits the catalogue is taken, and only as text.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const { chapters } = JSON.parse(byId("rl-catalogue").textContent);
  const { courseStore: store, residualPredictionKind: kindOf } = window;
  const LARGEST = 1_000_000; // bytes of a file that is read in

  const make = (name, properties, ...children) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };
  const parsed = (text) => {
    try {
      return JSON.parse(text);
    } catch {
      return undefined;
    }
  };

  // Sections of a file, the keys they are stored under, what may stand there, and its text.
  const sections = {
    predictions: {
      key: "prediction",
      entries: (chapter) => chapter.predictions.map((asked) => [asked.id, asked]),
      value: (text, asked) => kindOf(asked).read(asked, text),
    },
    quizzes: {
      key: "quiz",
      entries: (chapter) => chapter.quizzes.map((id) => [id]),
      value: (text) => {
        const answer = text.length < 2000 ? parsed(text) : null;
        return typeof answer?.right === "boolean" ? answer : undefined;
      },
    },
    exercises: {
      key: "exercise",
      entries: (chapter) => chapter.exercises.map((id) => [id]),
      value: (text) => (text === "passed" ? text : undefined),
    },
    read: {
      key: "read",
      entries: (chapter) => [[chapter.number]],
      value: (text) => (text === "1" ? text : undefined),
    },
  };

  /** What is valid of what `textOf(section, id)` gives: {section: Map of id to [value, text]}. */
  const collect = (textOf) => {
    const found = {};
    for (const [name, section] of Object.entries(sections)) {
      found[name] = new Map();
      for (const [id, asked] of chapters.flatMap(section.entries)) {
        const text = textOf(name, id);
        const value = typeof text === "string" ? section.value(text, asked) : undefined;
        if (value !== undefined) found[name].set(id, [value, text]);
      }
    }
    return found;
  };
  const kept = () => collect((name, id) => store.get(`${sections[name].key}.${id}`));

  // ---- tables

  const columns = [
    ["Predictions", "predictions", (have) => have.length],
    ["Quizzes right", "quizzes", (have) => have.filter(([answer]) => answer.right).length],
    ["Exercises", "exercises", (have) => have.length],
  ].filter(([, name]) => chapters.some((chapter) => chapter[name].length));

  const of = (have, chapter, name, count) => {
    const entries = sections[name].entries(chapter).map(([id]) => have[name].get(id));
    return `${count(entries.filter(Boolean))} of ${chapter[name].length}`;
  };

  const overview = (have) => {
    const heads = ["Chapter", "Read", ...columns.map(([title]) => title)];
    const rows = chapters.map((chapter) =>
      make(
        "tr",
        {},
        make("th", { scope: "row" }, make("a", { href: chapter.href }, chapter.title)),
        make("td", {}, have.read.has(chapter.number) ? "yes" : "not yet"),
        ...columns.map(([, name, count]) => make("td", {}, of(have, chapter, name, count))),
      ),
    );
    const top = make("tr", {}, ...heads.map((title) => make("th", { scope: "col" }, title)));
    return make("table", {}, make("thead", {}, top), make("tbody", {}, ...rows));
  };

  const predicted = (have) => {
    const list = make("dl", { className: "rl-predictions" });
    for (const asked of chapters.flatMap((chapter) => chapter.predictions)) {
      if (!have.predictions.has(asked.id)) continue;
      const [value] = have.predictions.get(asked.id);
      const kind = kindOf(asked);
      const said = kind.listed ? kind.listed(asked, value) : kind.said(asked, value);
      list.append(
        make("dt", {}, make("a", { href: asked.href }, asked.question)),
        make("dd", {}, `You: ${said}`),
      );
      if (asked.result) list.append(make("dd", {}, `Measured: ${asked.result}`));
    }
    return list.children.length ? list : make("p", {}, "None yet. Part 2 of each chapter asks for one.");
  };

  const show = () => {
    const have = kept();
    byId("rl-overview").replaceChildren(overview(have));
    byId("rl-predicted").replaceChildren(predicted(have));
  };

  // ---- file

  const say = (text) => {
    byId("rl-file-says").textContent = text;
  };

  const exported = () => {
    const have = kept();
    const name = byId("rl-name").value.trim();
    const content = { format: "residual-course", version: 1, saved: new Date().toISOString() };
    if (name) content.name = name;
    for (const section of Object.keys(sections)) {
      content[section] = Object.fromEntries([...have[section]].map(([id, [value]]) => [id, value]));
    }
    // With the questions, the file can be read by who doesn't have the course.
    const asked = chapters.flatMap((chapter) => chapter.predictions);
    content.questions = Object.fromEntries(
      asked.filter(({ id }) => have.predictions.has(id)).map((each) => [each.id, each]),
    );
    return content;
  };

  const save = () => {
    const file = new Blob([JSON.stringify(exported(), null, 1)], { type: "application/json" });
    const href = URL.createObjectURL(file);
    const name = byId("rl-name").value.trim().toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-");
    make("a", { href, download: `residual-course${name && `-${name}`}.json` }).click();
    URL.revokeObjectURL(href);
    say("Saved: your browser has put it with your downloads.");
  };

  const readIn = async (file) => {
    if (file.size > LARGEST) return say("Nothing read: the file is larger than 1 MB.");
    const content = parsed(await file.text());
    if (content?.format !== "residual-course") return say("Nothing read: this isn't a file of the course.");
    if (content.version !== 1) return say("Nothing read: the file is of another version of the course.");
    const own = (holder, key) =>
      holder && typeof holder === "object" && Object.hasOwn(holder, key) ? holder[key] : undefined;
    const found = collect((name, id) => {
      const value = own(own(content, name), id);
      return typeof value === "string" || value === undefined ? value : JSON.stringify(value);
    });
    let taken = 0;
    let given = 0;
    let lasts = true;
    for (const [name, section] of Object.entries(sections)) {
      given += Object.keys(own(content, name) ?? {}).length;
      for (const [id, [, text]] of found[name]) {
        lasts = store.set(`${section.key}.${id}`, text) && lasts;
        taken += 1;
      }
    }
    show();
    const rest = given > taken ? ` ${given - taken} didn't fit this course and were left out.` : "";
    const end = lasts ? "" : " This browser stores nothing, so it lasts until you leave the page.";
    return say(`Read in: ${taken} ${taken === 1 ? "entry" : "entries"}.${rest}${end}`);
  };

  byId("rl-export").addEventListener("click", save);
  byId("rl-choose").addEventListener("click", () => byId("rl-import").click());
  byId("rl-import").addEventListener("change", async (event) => {
    const [file] = event.target.files;
    if (file) await readIn(file);
    event.target.value = ""; // so that the same file can be chosen again
  });

  const sure = byId("rl-sure");
  byId("rl-clear").addEventListener("click", () => sure.showModal());
  byId("rl-keep").addEventListener("click", () => sure.close());
  byId("rl-really").addEventListener("click", () => {
    store.clear();
    sure.close();
    show();
    say("Cleared: this browser keeps nothing of the course now.");
  });

  show();
  window.addEventListener("storage", show);
  window.addEventListener("pageshow", show);
  document.querySelector(".rl-without").remove();
  byId("rl-file").hidden = false;
})();
