"""The parts of the build that a page wouldn't show to be wrong."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import shutil
import threading
import urllib.request
from pathlib import Path

import pytest
from builder import fingerprint, hosting
from builder.postprocess import (
    copies,
    formulas,
    head,
    images,
    policy,
    progress,
    scripts,
    stylesheet,
    theme,
)
from builder.steps import Steps, duration
from conftest import ROOT
from fontTools.ttLib import TTFont


def test_policy_hashes_what_the_browser_runs() -> None:
    html = '<head></head><script>let a = "<b>";</script><script src="x.js"></script>'
    html += '<script type="application/json">{"not": "run"}</script>'
    wanted = base64.b64encode(hashlib.sha256(b'let a = "<b>";').digest()).decode()
    assert policy.hashes(html) == [f"'sha256-{wanted}'"]
    assert f"script-src 'self' 'sha256-{wanted}';" in policy.with_policy(html)


def test_scripts_wait_and_stay_where_they_are_used() -> None:
    html = (
        '<script src="_static/scripts/fontawesome.js"></script>'
        '<script src="searchindex.js"></script><script src="_static/a.js"></script>'
        '<script type="application/vnd.jupyter.widget-view+json">{}</script>'
    )
    assert scripts.lighten(html, search_page=False) == '<script defer src="_static/a.js"></script>'
    assert "searchindex.js" in scripts.lighten(html, search_page=True)


def test_of_equal_styles_the_first_stays_and_of_equal_scripts_the_last() -> None:
    a, b = "<style>a</style>", "<style>b</style>"
    run, other = "<script>run()</script>", "<script>other()</script>"
    data = '<script type="application/json">1</script>'
    html = f"{run}<article>1{a}{run}{data}2{a}{b}{run}{other}{data}3{a}{run}</article>{run}"
    assert copies.drop(html) == (f"{run}<article>1{a}{data}2{b}{other}{data}3{run}</article>{run}")
    assert copies.drop(run + run) == run + run  # not the theme's own


def test_scripts_without_a_use_are_left_out() -> None:
    copy = '<script defer src="_static/copybutton.js?v=1"></script>'
    code = '<div class="highlight"><pre></pre></div>'
    assert scripts.lighten(copy, search_page=False) == ""
    assert scripts.lighten(code + copy, search_page=False) == code + copy
    bootstrap = '<script src="_static/scripts/bootstrap.js?digest=1"></script>'
    assert scripts.lighten(code + bootstrap, search_page=False) == code


def test_a_changed_theme_stops_the_build(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "pydata-sphinx-theme.js").write_text("(()=>{})();")
    with pytest.raises(ValueError, match=r"pydata-sphinx-theme\.js has changed"):
        theme.tidy(tmp_path)


def test_formulas_fonts_have_the_characters_of_formulas(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "book" / "_assets" / "katex" / "fonts", tmp_path / "katex" / "fonts")
    page = '<p>text<span class="katex-html">x<span>\u2211</span></span></p>'
    formulas.subset([page], tmp_path)
    for name, kept in (("Math-Italic", "x"), ("Size1-Regular", "\u2211")):
        font = TTFont(tmp_path / "katex" / "fonts" / f"KaTeX_{name}.woff2")
        assert set(font.getBestCmap()) == set(map(ord, kept))


def test_host_compresses_text_and_weighs_it(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<p>" + 1000 * "a ")
    (tmp_path / "font.woff2").write_bytes(bytes(500))
    server = hosting.server(tmp_path)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/"
    request = urllib.request.Request(address, headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request) as answer:
        body = answer.read()
    assert gzip.decompress(body) == (tmp_path / "index.html").read_bytes()
    assert len(body) == hosting.weight(tmp_path / "index.html") < 100
    with urllib.request.urlopen(address) as answer:
        assert answer.read() == (tmp_path / "index.html").read_bytes()
    assert hosting.weight(tmp_path / "font.woff2") == 500
    server.shutdown()


def test_an_inline_handler_becomes_an_action_or_stops_the_build() -> None:
    button = '<button onclick="window.print()">'
    assert scripts.lighten(button, search_page=False) == '<button data-action="print">'
    with pytest.raises(ValueError, match="steal"):
        scripts.lighten('<button onclick="steal()">', search_page=False)


def test_images_get_their_size(tmp_path: Path) -> None:
    (tmp_path / "a b.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="30" height="20"/>'
    )
    tag = images.give_sizes('<p><img alt="x > y" src="a%20b.svg"></p>', tmp_path / "page.html")
    assert 'width="30"' in tag
    assert 'height="20"' in tag
    assert 'loading="lazy"' in tag
    assert 'alt="x > y"' in tag


def test_description_is_the_first_paragraph_without_doubled_formulas() -> None:
    html = (
        "<head></head><article><section><p>A sentence that says with"
        '<span class="katex-html"> E</span> "quotes" what it is.</p></section></article>'
    )
    assert 'content="A sentence that says with &quot;quotes&quot; what it is."' in head.complete(
        html, "_static"
    )
    own = '<head><meta name="description" content="mine"></head>'
    assert head.complete(own, "_static") == own


def test_style_sheet_keeps_what_can_match_and_nothing_else(tmp_path: Path) -> None:
    static = tmp_path / "_static"
    (static / "css").mkdir(parents=True)
    (static / "base.css").write_text(".used{color:red}")
    (static / "css" / "theme.css").write_text(
        '@charset "utf-8";@import "../base.css";'
        ".used.unused,p:not(.unused),table{margin:0}"
        "@media print{.unused{x:y}.used,.from-script{display:none}}"
        '@media screen{.unused{x:y}}[data-x="a,b"] .used{background:url(../i.svg)}'
        "@font-face{font-family:Gone;src:url(g.woff2)}"
    )
    (static / "a.js").write_text("element.classList.add('from-script')")
    page = tmp_path / "index.html"
    pages = {
        page: '<html><head><link href="_static/css/theme.css?v=1" rel="stylesheet">'
        '</head><body><p class="used"></p></body></html>'
    }
    stylesheet.merge(pages, static)
    css = (static / stylesheet.NAME).read_text()
    assert css.split("\n") == [
        ".used{color:red}",
        "p:not(.unused){margin:0}",
        "@media print{.used,.from-script{display:none}",
        "}",
        '[data-x="a,b"] .used{background:url("i.svg")}',
        "",
    ]
    assert pages[page].count("stylesheet") == 1
    assert sorted(path.name for path in static.rglob("*.css")) == [stylesheet.NAME]


def test_a_style_sheet_from_elsewhere_stops_the_build(tmp_path: Path) -> None:
    page = {tmp_path / "p.html": '<link rel="stylesheet" href="https://cdn.example/x.css">'}
    with pytest.raises(ValueError, match=r"cdn\.example"):
        stylesheet.merge(page, tmp_path)


CHECK = (
    '<div class="cell docutils container"><div class="cell_input"><div><pre>'
    '<span class="n">check</span><span class="p">(</span><span class="s2">"3.{}"</span>'
    '</pre></div></div><div class="cell_output"><div>not yet</div></div></div>'
)


def test_a_box_follows_the_whole_cell_of_each_check() -> None:
    html = f"<article><p>a</p>{CHECK.format(1)}<p>b</p>{CHECK.format(2)}</article>"
    made = progress.with_boxes(html, "03")
    for k in (1, 2):
        assert f'{CHECK.format(k)}\n<div class="rl-mark" hidden>' in made
        assert made.count(f'data-mark="exercise.3.{k}"') == 1
    assert 'data-mark="read.03"' in made[made.index("exercise.3.2") :]
    assert made.endswith("</div>\n</article>")
    # What the chapter wrote is as it was.
    assert progress.with_boxes("<p>no article</p>", "03") == "<p>no article</p>"


def test_the_catalogue_has_question_and_result() -> None:
    data = '<script type="application/json">{}</script>'
    asked = {"id": "3.n", "low": 0, "high": 9, "unit": " %"}
    html = (
        '<article><h1>3. Name<a class="headerlink">#</a></h1>'
        '<form class="rl-predict" id="rl-predict-3.n"><legend>How &lt;many?</legend>'
        f"{data.format(json.dumps(asked))}</form>"
        '<div class="rl-recall"><dd>nothing yet</dd><dd>5 % (95 % interval 4 to 6 %)</dd>'
        f"{data.format(json.dumps(asked | {'measured': 5}))}</div>"
        '<form data-quiz="3.a"></form><form data-quiz="3.b"></form>'
        f"{CHECK.format(1)}</article>"
    )
    result = {"measured": 5, "result": "5 % (95 % interval 4 to 6 %)"}
    place = "../chapters/03_x.html"
    assert progress.chapter("03", "03_x.html", html) == {
        "number": "03",
        "title": "3. Name",
        "href": place,
        "predictions": [
            {**asked, "question": "How <many?", "href": f"{place}#rl-predict-3.n", **result}
        ],
        "quizzes": ["3.a", "3.b"],
        "exercises": ["3.1"],
    }


def test_fingerprint_changes_with_the_library_and_not_with_the_tests(tmp_path: Path) -> None:
    for name in ("residual_lib", "book", "chapters", "tests"):
        (tmp_path / name).mkdir()
    for name in ("_config.yml", "_toc.yml", "CHANGELOG.md", "requirements.txt"):
        (tmp_path / name).write_text(name)
    (tmp_path / "residual_lib" / "a.py").write_text("1")
    before = fingerprint.of_site(tmp_path), fingerprint.of_library(tmp_path)
    (tmp_path / "tests" / "t.py").write_text("1")
    assert (fingerprint.of_site(tmp_path), fingerprint.of_library(tmp_path)) == before
    (tmp_path / "book" / "p.md").write_text("1")
    assert fingerprint.of_site(tmp_path) != before[0]
    assert fingerprint.of_library(tmp_path) == before[1]
    (tmp_path / "residual_lib" / "a.py").write_text("2")
    assert fingerprint.of_library(tmp_path) != before[1]


def test_steps_say_what_is_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    memory = tmp_path / "timings.json"
    memory.write_text(json.dumps({"one": 30.0, "two": 75.0}))
    steps = Steps(["one", "two"], memory)
    with steps("one"):
        pass
    assert "[1/2] one (took 30.0 s last time; 1 min 45 s left in all)" in capsys.readouterr().out
    assert json.loads(memory.read_text())["two"] == 75.0
    assert duration(59.96) == "60.0 s"
