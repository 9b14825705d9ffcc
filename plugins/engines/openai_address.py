"""A server's address, and what of it nobody may read."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from rrm_harness import EngineError, SpecError

OPENAI = "https://api.openai.com/v1"
HIDDEN = "[hidden]"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is; as text it has no name, password or query."""

    scheme: str
    host: str
    path: str
    query: str = ""
    auth: tuple[str, str] | None = None

    @classmethod
    def read_all(cls, urls: str) -> list[Address]:
        """Read addresses with `;` between them; without, OPENAI_BASE_URL's or OpenAI's.

        Raises:
            SpecError: One is no http or https address, or is there twice.
        """
        named = urls or os.environ.get("OPENAI_BASE_URL") or OPENAI
        found = [cls.read(each.strip()) for each in named.split(";")]
        for number, address in enumerate(found):
            if address in found[:number]:
                raise SpecError(f"url names {address} twice; leave one of them out")
        return found

    @classmethod
    def read(cls, url: str) -> Address:
        """Read one address.

        Raises:
            SpecError: It is no http or https address.
        """
        try:
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError
            host = (
                parts.hostname if ":" not in parts.hostname else f"[{parts.hostname}]"
            )
            port = f":{parts.port}" if parts.port else ""
        except ValueError:  # from None: its text may hold the password
            raise SpecError(
                "the server's url is no http address; write url=http://HOST:PORT/v1,"
                " and ';' between several"
            ) from None
        path = parts.path.rstrip("/")
        return cls(parts.scheme, host + port, path, parts.query, _auth(parts))

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}{self.path}"

    @property
    def name(self) -> str:
        """The host's name or number, without its port."""
        return urlsplit(f"//{self.host}").hostname or ""

    @property
    def mark(self) -> str:
        """The address as text, and a hash of its query if it has one."""
        if not self.query:
            return str(self)
        return f"{self} query {blake2b(self.query.encode(), digest_size=8).hexdigest()}"

    @property
    def is_openai(self) -> bool:
        """Whether it is OpenAI's own; others may have sampling defaults it has not."""
        return self.host == "api.openai.com"

    def of(self, route: str) -> str:
        """The address to ask; a route with a leading slash is beside `/v1`."""
        beside = route.startswith("/")
        path = self.path.removesuffix("/v1") if beside else f"{self.path}/"
        query = f"?{self.query}" if self.query else ""
        return f"{self.scheme}://{self.host}{path}{route}{query}"

    def secrets(self) -> list[str]:
        """The texts of it that must not be shown."""
        found = [value for _, value in parse_qsl(self.query)]
        return [*found, *self.auth] if self.auth else found


def _auth(parts: SplitResult) -> tuple[str, str] | None:
    if parts.username is None and parts.password is None:
        return None
    return unquote(parts.username or ""), unquote(parts.password or "")


def key(variable: str) -> str:
    """Return the key that a variable holds, empty if it is not set.

    Raises:
        EngineError: An HTTP header cannot carry it.
    """
    found = os.environ.get(variable, "").strip()
    if not found.isascii() or not found.isprintable():
        raise EngineError(
            f"what {variable} holds is no key: an HTTP header cannot carry it; set it"
            " anew"
        )
    return found


def _forms(secret: str) -> tuple[str, str, str]:
    return secret, quote(secret, ""), json.dumps(secret)[1:-1]


def _spellings(letter: str) -> str:
    """What finds a character as it is, behind backslashes, or as its number."""
    itself = re.escape(letter)
    return rf"(?:{itself}|\\{{1,7}}(?:{itself}|u(?i:{ord(letter):04x})))"


LOGGERS = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy")
"""They log addresses, and what a server sends."""


@dataclass(frozen=True)
class Redactor(logging.Filter):
    """Takes secrets out of whatever a server or a library says, logs included."""

    secrets: tuple[str, ...]

    @classmethod
    def of(cls, secrets: Iterable[str], least: int = 4) -> Redactor:
        """Know each secret as it is, and as addresses and JSON write it, longest first.

        One of fewer characters than `least` is no secret, but hides innocent text.
        """
        long = [each for each in secrets if len(each) >= least]
        known = {form for each in long for form in _forms(each)}
        return cls(tuple(sorted(known, key=len, reverse=True)))

    def __call__(self, text: str) -> str:
        for secret in self.secrets:
            text = text.replace(secret, HIDDEN)
        if self.secrets and ("\\/" in text or "\\u" in text):  # it is decoded later
            text = self._escaped.sub(HIDDEN, text)
        return text

    @cached_property
    def _escaped(self) -> re.Pattern[str]:
        """Each secret as JSON may write it, also in a text that is JSON itself."""
        found = ("".join(map(_spellings, each)) for each in self.secrets)
        return re.compile("|".join(found))

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self(record.getMessage()), ()
        return True

    def watch(self) -> None:
        """Keep the HTTP library's logs clean, until `leave`."""
        for name in LOGGERS:
            logging.getLogger(name).addFilter(self)

    def leave(self) -> None:
        """Leave the logs alone."""
        for name in LOGGERS:
            logging.getLogger(name).removeFilter(self)
