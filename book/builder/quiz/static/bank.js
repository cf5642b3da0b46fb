// The question bank: chooses among the questions, and shuffles them. The choice stands in the page's
// address, so that it can be handed on; of an address only what the fields can hold is taken.
// A question that is answered stays until the choice changes: its reply is still to be read.
"use strict";
for (const bank of document.querySelectorAll(".rl-bank")) {
  const find = (name) => bank.querySelector(name);
  const panel = find(".rl-controls");
  const fields = [...panel.querySelectorAll("[name]")];
  const groups = [...bank.querySelectorAll(".rl-group")];
  const forms = [...bank.querySelectorAll("form")];
  const home = new Map(forms.map((form) => [form, form.parentElement]));
  const words = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);
  const asked = new Map(
    forms.map((form) => [form, words(form.querySelector("fieldset").textContent).join(" ")]),
  );

  const fits = (form, { name, value }) => {
    if (!value) return true;
    if (name === "words") return words(value).every((word) => asked.get(form).includes(word));
    return (form.dataset[name] ?? "none") === value;
  };
  const shown = () => forms.filter((form) => !form.hidden);

  const count = () => {
    const { length } = shown();
    find(".rl-count").textContent = length
      ? `${length} of ${forms.length} questions.`
      : "No question fits this choice.";
    find(".rl-shuffle").disabled = length < 2;
    find(".rl-forget").hidden = !shown().some((form) => form.dataset.answered);
  };
  const choose = () => {
    for (const form of forms) form.hidden = !fields.every((field) => fits(form, field));
    for (const group of groups) group.hidden = !group.querySelector("form:not([hidden])");
    find(".rl-all").hidden = !fields.some((field) => field.value);
    count();
  };
  const remember = () => {
    const chosen = fields.filter(({ value }) => value).map(({ name, value }) => [name, value]);
    const query = chosen.length ? `?${new URLSearchParams(chosen)}` : "";
    try {
      history.replaceState(null, "", location.pathname + query + location.hash);
    } catch {
      // A page from the disk may not change its address.
    }
  };
  const inOrder = () => {
    for (const [form, group] of home) group.append(form);
    find(".rl-order").hidden = true;
  };

  for (const [name, value] of new URLSearchParams(location.search)) {
    const field = fields.find((each) => each.name === name);
    const known = field?.options ? [...field.options].some((option) => option.value === value) : field;
    if (known) field.value = value.slice(0, 100);
  }
  for (const field of fields) {
    field.addEventListener("input", () => {
      choose();
      remember();
    });
  }
  find(".rl-all").addEventListener("click", () => {
    for (const field of fields) field.value = "";
    choose();
    remember();
    fields[0].focus(); // the button is gone
  });

  find(".rl-shuffle").addEventListener("click", () => {
    const order = [...forms];
    for (let last = order.length - 1; last > 0; last -= 1) {
      const other = Math.floor(Math.random() * (last + 1));
      [order[last], order[other]] = [order[other], order[last]];
    }
    inOrder();
    find(".rl-shuffled").append(...order);
    find(".rl-order").hidden = false;
    choose();
    find(".rl-count").textContent += " Shuffled.";
  });
  find(".rl-order").addEventListener("click", () => {
    inOrder();
    choose();
    find(".rl-shuffle").focus();
  });

  const print = find(".rl-print");
  const withAnswers = () => bank.classList.toggle("rl-asked-only", !print.checked);
  print.addEventListener("change", withAnswers);
  withAnswers();

  const sure = find("dialog");
  const answered = () => shown().filter((form) => form.dataset.answered);
  find(".rl-forget").addEventListener("click", () => {
    const { length } = answered();
    find(".rl-what").textContent =
      length === 1 ? "Forget your answer to one question?" : `Forget your answers to ${length} questions?`;
    sure.showModal();
  });
  find(".rl-keep").addEventListener("click", () => sure.close());
  find(".rl-really").addEventListener("click", () => {
    for (const form of answered()) form.dispatchEvent(new Event("rl-forget"));
    sure.close();
    count();
    fields[0].focus();
  });
  bank.addEventListener("submit", count);

  panel.hidden = false;
  choose();
}
