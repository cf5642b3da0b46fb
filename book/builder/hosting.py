"""The built site, served on this machine as a host of static pages does: compressed, kept alive."""

from __future__ import annotations

import gzip
from functools import lru_cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

# Fonts and pictures are compressed already.
_COMPRESSED = {".html", ".css", ".js", ".svg", ".json", ".txt", ".xml"}


def server(folder: Path, port: int = 0) -> ThreadingHTTPServer:
    """A server for `serve_forever`, on this machine only; port 0 takes a free one.

    Raises OSError where the port can't be used.
    """
    return ThreadingHTTPServer(("127.0.0.1", port), partial(_Handler, directory=str(folder)))


def weight(file: Path) -> int:
    """What the host sends for a file, in bytes."""
    return len(_packed(file, file.stat().st_mtime_ns)) if _packs(file) else file.stat().st_size


def _packs(file: Path) -> bool:
    return file.suffix in _COMPRESSED


@lru_cache(maxsize=256)
def _packed(file: Path, changed: int) -> bytes:
    return gzip.compress(file.read_bytes(), 6, mtime=0)


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def send_head(self) -> BytesIO | None:
        """As the standard handler does, but for text that the browser takes compressed."""
        file = Path(self.translate_path(self.path))
        if file.is_dir() and self.path.split("?")[0].endswith("/"):
            file /= "index.html"
        if not file.is_file() or not _packs(file) or "gzip" not in self._accepted():
            return super().send_head()
        body = _packed(file, file.stat().st_mtime_ns)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(file)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "max-age=600")
        self.end_headers()
        return BytesIO(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """As a host of pages does: what isn't there is answered with the site's own 404.html."""
        page = Path(self.directory) / "404.html"
        if code != 404 or not page.is_file():
            super().send_error(code, message, explain)
            return
        body = page.read_bytes()
        self.send_response(404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _accepted(self) -> str:
        return self.headers.get("Accept-Encoding", "")

    def log_message(self, *arguments: object) -> None:
        pass
