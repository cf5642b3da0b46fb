"""Quizzes: questions kept as YAML, checked, and set into the chapters' pages.

What exists was looked at first, and none of it fits a page that asks no other host for anything,
runs no inline script that isn't its own, and can be read without JavaScript:

- jupyterquiz 2.9: makes the questions in the browser (nothing is there without JavaScript), loads
  MathJax from a CDN, has no ARIA, and brings 37 KB of script inline for each quiz;
- teachbooks-questions 0.4: loads MathLive and a compute engine from two CDNs;
- sphinx-yaq 0.1: offline and accessible, but brings 750 KB of script, and says nothing about the
  wrong answer that was chosen;
- sphinx-quiz 0.1: is a site of its own, not a part of a page.

So this is small and our own: `bank` reads and checks the questions, `directive` writes them as
plain HTML, `static/quiz.js` answers.
"""
