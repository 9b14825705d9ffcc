"""No call to the outside: libraries are told so, and connections are refused.

The hub's libraries and those that count their users have switches; whatever else opens
a connection from Python, a plugin included, is refused by an audit hook (PEP 578).
What is not Python, such as a Ray cluster's own processes, is its operator's affair.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from functools import cache
from ipaddress import ip_address
from typing import Any

from rrm_harness.errors import SpecError

VARIABLE = "RRM_HARNESS_OFFLINE"
SWITCHES = {
    VARIABLE: "1",
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_HOST_IP": "127.0.0.1",  # it would ask the way to a host outside
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""What the libraries read when they are imported."""
LIBRARIES = ("huggingface_hub", "datasets", "transformers", "vllm", "ray")


def is_on() -> bool:
    """Whether nothing outside this machine may be called."""
    return os.environ.get(VARIABLE, "") not in ("", "0")


def switch_on() -> None:
    """Call nothing outside this machine from now on, in this process and its children.

    Raises:
        RuntimeError: A library that reads its switch once has already been imported.
    """
    late = [name for name in LIBRARIES if name in sys.modules]
    if late:
        raise RuntimeError(f"{', '.join(late)} were imported before offline mode")
    os.environ.update(SWITCHES)
    _watch()


@cache  # a hook stays for good, so one must do
def _watch() -> None:
    sys.addaudithook(_refuse)


def _refuse(event: str, details: tuple[Any, ...]) -> None:
    """Refuse a connection to the outside.

    Raises:
        PermissionError: As a network without a way out does, for libraries to handle.
    """
    target = _TARGETS.get(event)
    host = target(details) if target else ""
    if host and not is_here(host):
        raise PermissionError(f"offline: {host} is not called")


def _peer(details: tuple[Any, ...]) -> str:
    """The host that a socket is to reach; none for what stays in the kernel."""
    made, address = details[0], details[1]
    inet = made.family in (socket.AF_INET, socket.AF_INET6)
    return str(address[0]) if inet and isinstance(address, tuple) else ""


def _name(details: tuple[Any, ...]) -> str:
    """The name to look up."""
    host = details[0] or ""
    return host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)


_TARGETS: dict[str, Callable[[tuple[Any, ...]], str]] = {
    "socket.connect": _peer,
    "socket.sendto": _peer,
    "socket.sendmsg": _peer,
    "socket.getaddrinfo": _name,
    "socket.gethostbyname": _name,
}


def refuse_outside(host: str, what: str) -> None:
    """Refuse a host outside this machine, before anything else takes its time.

    Raises:
        SpecError: It is one, and the run is offline.
    """
    if is_on() and not is_here(host):
        raise SpecError(
            f"{what} would call {host}, and --offline allows this machine alone; name"
            " a server on it, or leave --offline out"
        )


def is_here(host: str) -> bool:
    """Whether a host is this machine: by its loopback or by an address of its own."""
    plain = host.strip("[]").partition("%")[0]
    if plain in ("", "localhost"):
        return True
    try:
        address = ip_address(plain)
    except ValueError:
        return plain == socket.gethostname()
    return address.is_loopback or address.is_unspecified or _is_own(plain)


def _is_own(address: str) -> bool:
    """Whether an interface of this machine has an address: one can listen on those."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
