"""The printed course: every chapter is there, and its links lead somewhere."""

from __future__ import annotations

import re
import unicodedata
import zipfile
from functools import cache
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from conftest import HTML
from pypdf import PdfReader

PDF = HTML / "residual-connections.pdf"
CHAPTERS = sorted(Path(HTML / "chapters").glob("[0-9]*.html"))


@cache
def text() -> str:
    """All that is printed after the contents, as letters: extraction gets the rest wrong."""
    return letters("".join(page.extract_text() for page in PdfReader(PDF).pages[2:]))


def letters(text: str) -> str:
    """The letters alone, with ligatures taken apart."""
    return "".join(re.findall(r"[a-z]", unicodedata.normalize("NFKD", text).lower()))


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_is_printed_from_its_first_heading_to_its_last(chapter: Path) -> None:
    article = BeautifulSoup(chapter.read_text(encoding="utf-8"), "lxml").select_one("article")
    assert article is not None
    headings = []
    for heading in article.select("h1, h2"):
        for link in heading.select(".headerlink"):
            link.decompose()
        headings.append(letters(heading.get_text()))
    at = 0
    for heading in headings:
        at = text().index(heading, at)


def test_links_inside_lead_to_places_and_links_outside_to_hosts() -> None:
    reader = PdfReader(PDF)
    places, inside, outside = set(reader.named_destinations), 0, set()
    for page in reader.pages:
        for annotation in page.get("/Annots", []):
            link = annotation.get_object()
            action = link.get("/A", {})
            if "/URI" in action:
                outside.add(str(action["/URI"]))
            elif isinstance(target := link.get("/Dest", action.get("/D")), str):
                assert target.lstrip("/") in {place.lstrip("/") for place in places}, target
                inside += 1
            else:
                inside += 1
    assert inside > 100
    assert outside
    assert {url for url in outside if not url.startswith(("https://", "http://www"))} == set()
    assert {url for url in outside if "127.0.0.1" in url} == set()


def test_it_has_an_outline_and_a_title() -> None:
    reader = PdfReader(PDF)
    assert len(reader.outline) > len(CHAPTERS)
    assert reader.metadata is not None
    assert reader.metadata.title == "Residual connections"


@pytest.mark.parametrize("kind", ["pdf", "zip"])
def test_the_first_page_links_what_there_is_to_download(kind: str) -> None:
    for name in ("index.html", "book/index.html"):
        page = BeautifulSoup((HTML / name).read_text(encoding="utf-8"), "lxml")
        link = page.select_one(f'a[href$="residual-connections.{kind}"]')
        assert link is not None
        assert not link.parent.has_attr("hidden")
        file = (HTML / name).parent.joinpath(link["href"]).resolve()
        assert file == PDF.with_suffix(f".{kind}").resolve()


def test_the_archive_is_the_site_without_itself() -> None:
    with zipfile.ZipFile(PDF.with_suffix(".zip")) as archive:
        packed = {name.partition("/")[2] for name in archive.namelist()}
    there = {path.relative_to(HTML).as_posix() for path in HTML.rglob("*") if path.is_file()}
    assert packed == there - {"residual-connections.zip"}
