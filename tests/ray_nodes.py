"""A real Ray cluster of two nodes on this machine, whose nodes can be killed."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

COMMAND = str(Path(sys.executable).with_name("ray"))
HEAD, SECOND = "127.0.0.2", "127.0.0.3"  # Ray puts its own address for 127.0.0.1
SETTINGS = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "PYTHONPATH": str(Path(__file__).parent),  # workers import tests' engines
}
CPUS = 2


@dataclass(frozen=True)
class Nodes:
    """Two nodes of CPUS each, and of a GPU in name."""

    address: str
    second: subprocess.Popen[bytes]

    def on_second(self, worker: int) -> bool:
        """Whether a worker, by its process, runs on the second node."""
        raylet = Path(f"/proc/{worker}/stat").read_text().split()[3]
        return os.getpgid(int(raylet)) == self.second.pid

    def kill_second(self) -> None:
        """Kill a node and all that runs there, as a power cut would."""
        os.killpg(self.second.pid, signal.SIGKILL)
        self.second.wait()


@contextmanager
def folder() -> Iterator[str]:
    """A folder whose path is short enough for Ray's sockets; removed at the end."""
    made = mkdtemp(prefix="rrm-ray-", dir="/tmp")
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextmanager
def two_nodes(path: str = SETTINGS["PYTHONPATH"]) -> Iterator[Nodes]:
    """Start the nodes, and leave nothing of them behind.

    Workers import from `path`.
    """
    address = f"{HEAD}:{_free_port()}"
    port = f"--port={address.partition(':')[2]}"
    with folder() as place, ExitStack() as stack:
        head = ("--head", port, f"--temp-dir={place}")
        stack.callback(_end, _node(HEAD, path, *head, "--include-dashboard=false"))
        _wait_for(address)
        second = _node(SECOND, path, f"--address={address}")
        stack.callback(_end, second)
        yield Nodes(address, second)


def _node(host: str, path: str, *options: str) -> subprocess.Popen[bytes]:
    room = (f"--num-cpus={CPUS}", "--num-gpus=1", "--object-store-memory=80000000")
    return subprocess.Popen(
        [COMMAND, "start", "--block", f"--node-ip-address={host}", *room, *options],
        env={**os.environ, **SETTINGS, "PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _end(node: subprocess.Popen[bytes]) -> None:
    """Ask it to end, and end it."""
    node.terminate()
    try:
        node.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(node.pid, signal.SIGKILL)
        node.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HEAD, 0))
        return int(probe.getsockname()[1])


def _wait_for(address: str) -> None:
    host, _, port = address.partition(":")
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f"no Ray answers at {address}")
