"""A hub for tests: as much of the Hugging Face hub's API as downloading needs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" * 6 + "0123"


@dataclass
class Hub:
    """Repositories by `models/OWNER/NAME` or `datasets/OWNER/NAME`, and who asked."""

    repositories: Mapping[str, Path]
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """What a GET of a path gets: status, headers, body."""
        said = unquote(urlsplit(path).path).strip("/")
        self.asked.append(said)
        if said.startswith("api/"):
            return self._told(said.removeprefix("api/"))
        kind = "datasets" if said.startswith("datasets/") else "models"
        owner, name, resolve, _, *rest = said.removeprefix("datasets/").split("/")
        folder = self.repositories.get(f"{kind}/{owner}/{name}")
        file = folder / "/".join(rest) if folder else None
        if file is None or resolve != "resolve" or not file.is_file():
            missing = "EntryNotFound" if folder else "RepoNotFound"
            return 404, {"X-Error-Code": missing, "X-Repo-Commit": COMMIT}, b""
        content = file.read_bytes()
        etag = hashlib.sha256(content).hexdigest()
        return 200, {"X-Repo-Commit": COMMIT, "ETag": f'"{etag}"'}, content

    def _told(self, said: str) -> tuple[int, dict[str, str], bytes]:
        kind, owner, name, *rest = [*said.split("/"), "", ""]
        folder = self.repositories.get(f"{kind}/{owner}/{name}")
        if folder is None:
            return 404, {"X-Error-Code": "RepoNotFound"}, b"{}"
        files = [each for each in sorted(folder.rglob("*")) if each.is_file()]
        paths = [each.relative_to(folder).as_posix() for each in files]
        content: Any = {
            "id": f"{owner}/{name}",
            "sha": COMMIT,
            "siblings": [{"rfilename": path} for path in paths],
        }
        if rest[:1] in (["tree"], ["paths-info"]):
            content = [
                {"type": "file", "path": path, "size": each.stat().st_size, "oid": path}
                for path, each in zip(paths, files, strict=True)
            ]
        return 200, {"Content-Type": "application/json"}, json.dumps(content).encode()


@contextmanager
def serving(repositories: Mapping[str, Path]) -> Iterator[Hub]:
    """A hub that listens on this machine until the block ends."""
    hub = Hub(repositories)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, body = hub.answer(self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_POST = do_GET  # noqa: N815 - the library calls them so

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
