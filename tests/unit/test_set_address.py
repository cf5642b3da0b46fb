"""The repository's address: one command gives a fork its own, everywhere."""

import importlib.util
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("set_address", ROOT / "tools" / "set_address.py")
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)

CONFIG = "repository:\n  url: https://github.com/old/course\n  branch: main\n"
FILES = {
    "_config.yml": CONFIG.encode(),
    "README.md": b"git clone https://github.com/old/course\ncd course\n",
    "chapters/01.ipynb": b'"address = \\"git+https://github.com/old/course\\"\\n"',
    "book/page.md": b"the old course",
    "book/picture.bin": b"\xff\x00\r\n",
}


@pytest.fixture
def fork(tmp_path):
    for name, content in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
    (tmp_path / "untracked.txt").write_bytes(b"old/course")
    return tmp_path


def test_every_mention_is_rewritten_and_nothing_else(fork):
    changed = tool.rewrite(fork, "ada/my-course")
    assert changed == ["README.md", "_config.yml", "chapters/01.ipynb"]
    assert tool.current(fork) == "ada/my-course"
    readme = "git clone https://github.com/ada/my-course\ncd my-course\n"
    assert (fork / "README.md").read_text() == readme
    assert b"git+https://github.com/ada/my-course" in (fork / "chapters/01.ipynb").read_bytes()
    for name in ("book/page.md", "book/picture.bin"):
        assert (fork / name).read_bytes() == FILES[name]
    assert (fork / "untracked.txt").read_bytes() == b"old/course"


def test_there_and_back_leaves_all_as_it_was(fork):
    tool.rewrite(fork, "ada/my-course")
    tool.rewrite(fork, "old/course")
    assert {name: (fork / name).read_bytes() for name in FILES} == FILES


@pytest.mark.parametrize("given", [[], ["ada"], ["https://github.com/ada/course"], ["a/b", "c/d"]])
def test_what_is_no_repository_is_refused(given, capsys):
    assert tool.main(given) == 2
    assert "OWNER/NAME" in capsys.readouterr().err


def test_readme_and_citation_have_the_address_of_the_configuration():
    for name in ("README.md", "CITATION.cff"):
        assert f"https://github.com/{tool.current(ROOT)}" in (ROOT / name).read_text("utf-8")
