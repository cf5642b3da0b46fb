// Quizzes: replies to an answer with the reason that the page already holds, folded away, and keeps
// the latest answer in this browser. What storage holds may be anything: it is compared with the
// answers that a question can have, and nothing of it but a number reaches the page. A question's
// form says in `data-answered` how its latest answer was, and forgets it on an event `rl-forget`.
"use strict";
{
  const name = (form) => "residual-course.quiz." + form.dataset.quiz;
  const read = (form) => {
    try {
      return JSON.parse(localStorage.getItem(name(form)))?.answer;
    } catch {
      return undefined;
    }
  };
  // False where the browser refuses storage: the answer then lasts as long as the page.
  const write = (form, kept) => {
    try {
      if (kept) localStorage.setItem(name(form), JSON.stringify(kept));
      else localStorage.removeItem(name(form));
      return true;
    } catch {
      return false;
    }
  };

  const inputs = (form) => [...form.querySelectorAll("fieldset input")];
  const isMarked = (form) => !inputs(form).length; // by its reader

  // The form's answer: the place of a choice, a number, or how the reader marks their own.
  const given = (form, button) => {
    if (isMarked(form)) return button?.value;
    const chosen = inputs(form).find((input) => input.checked);
    return chosen ? Number(chosen.value) : inputs(form)[0].valueAsNumber;
  };
  const put = (form, answer) => {
    if (isMarked(form)) return;
    const [first] = inputs(form);
    if (first.type === "number") first.value = answer;
    else inputs(form)[answer].checked = true;
  };

  // {right, words, why}, or undefined where this is no answer to the question.
  const judge = (form, answer) => {
    if (isMarked(form)) {
      if (answer === "yes") return { right: true, words: "Counted as right." };
      if (answer === "no") return { right: false, words: "Counted as not yet. The section has more." };
      return undefined;
    }
    if (typeof answer !== "number" || !Number.isFinite(answer)) return undefined;
    const cases = [...form.querySelectorAll(".rl-case")];
    if (inputs(form)[0].type === "radio") {
      const found = cases.find((each) => each.dataset.choice === String(answer));
      return found && reply(found);
    }
    const found = cases.find(({ dataset }) =>
      // The bound itself counts, whatever rounding makes of it.
      Math.abs(answer - dataset.number) <= dataset.tolerance * (1 + 1e-9) + 1e-12);
    if (found) return reply(found);
    const smaller = cases.find((each) => "right" in each.dataset).dataset.number < answer;
    return { right: false, words: "No. The answer is " + (smaller ? "smaller." : "larger.") };
  };
  const reply = (found) => {
    const right = "right" in found.dataset;
    const why = found.querySelector(".rl-why").cloneNode(true);
    for (const each of why.querySelectorAll("[id]")) each.removeAttribute("id");
    return { right, words: right ? "Right." : "No.", why };
  };

  const show = (form, judged) => {
    const words = document.createElement("p");
    words.className = "rl-words";
    words.textContent = judged?.words ?? "";
    const parts = judged ? [words, ...(judged.why?.childNodes ?? [])] : [];
    form.querySelector(".rl-reply").replaceChildren(...parts);
    if (judged) form.dataset.result = judged.right ? "right" : "wrong";
    else delete form.dataset.result;
  };

  for (const quiz of document.querySelectorAll(".rl-quiz")) {
    const forms = [...quiz.querySelectorAll("form")];
    const again = quiz.querySelector(".rl-again");
    const results = new Map();

    const settle = (form, judged) => {
      show(form, judged);
      if (judged) results.set(form, judged.right);
      if (results.has(form)) form.dataset.answered = results.get(form) ? "right" : "wrong";
      else delete form.dataset.answered;
      if (!isMarked(form)) form.querySelector("details").hidden = !results.has(form);
      const right = [...results.values()].filter(Boolean).length;
      quiz.querySelector(".rl-score").textContent = results.size
        ? `${right} of ${forms.length} right, ${results.size} answered.` : "";
      if (again) again.hidden = !results.size;
    };
    const restore = (form) => {
      const before = read(form);
      const judged = judge(form, before);
      if (judged) {
        put(form, before);
        settle(form, judged);
      }
    };

    for (const form of forms) {
      form.querySelector("fieldset").disabled = false;
      form.querySelector("fieldset > button, .rl-marks").hidden = false;
      settle(form);
      restore(form);
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        const answer = given(form, event.submitter);
        const now = judge(form, answer);
        if (!now) return;
        settle(form, now);
        if (!write(form, { answer, right: now.right })) {
          quiz.querySelector(".rl-kept").textContent =
            "This browser stores nothing, so answers last until you leave the page.";
        }
      });
      // A reply belongs to the answer that it was given to.
      form.addEventListener("input", () => show(form));
      form.addEventListener("rl-forget", () => {
        results.delete(form);
        form.reset();
        form.querySelector("details").open = false;
        write(form);
        settle(form);
      });
    }
    again?.addEventListener("click", () => {
      for (const form of forms) form.dispatchEvent(new Event("rl-forget"));
      (inputs(forms[0])[0] ?? forms[0].querySelector("summary")).focus();
    });
    // A question stands on two pages: what was answered on the other one counts here.
    addEventListener("storage", ({ key }) => forms.filter((form) => key === name(form)).forEach(restore));
    addEventListener("pageshow", ({ persisted }) => persisted && forms.forEach(restore));
    quiz.querySelector(".rl-without").remove();
  }
}
