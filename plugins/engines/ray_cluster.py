"""Joining a Ray cluster, or starting one on this machine; both without a word."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from typing import Any

from rrm_harness import EngineError
from rrm_harness.libraries import library

EXTRA = "ray"
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # reports to the network, and waits for it
    "RAY_worker_niceness": "0",  # else workers yield to whatever else runs here
}
"""Unless the user says otherwise; a cluster that runs already has its own."""


class Cluster:
    """A connection to Ray; left as it was found when closed.

    Args:
        address: `auto` joins the cluster that RAY_ADDRESS names or that runs on this
            machine, and starts one here if there is none; `local` starts one;
            HOST:PORT joins that one.
        cpus: For how many processor cores one that is started has room, at least; for
            this machine's if it has more.

    Raises:
        EngineError: Ray is missing, or does not answer or start.
    """

    def __init__(self, address: str, cpus: float) -> None:
        self.ray: Any = library("ray", EXTRA)
        self._joined = not self.ray.is_initialized()  # else it is the caller's
        self._talks: Any = library("ray._private.worker", EXTRA)
        self._talked = getattr(self._talks, "_worker_logs_enabled", True)
        # Ray prints to standard output whatever befalls a worker, and has no setting
        # for it; that is for the report, and lost workers are our affair.
        self._talks._worker_logs_enabled = False
        if self._joined:
            for name, value in SETTINGS.items():
                os.environ.setdefault(name, value)
            self._join(address, max(ceil(cpus), os.cpu_count() or 1))

    def _join(self, address: str, cpus: int) -> None:
        try:
            if address != "local":
                self._init(address=address)
                return
        except ConnectionError as error:
            if address != "auto":
                raise _no_cluster(address, error) from error
        except Exception as error:
            raise _no_cluster(address, error) from error
        try:
            self._init(address="local", num_cpus=cpus, include_dashboard=False)
        except Exception as error:
            raise EngineError(
                f"Ray does not start here ({_said(error)}); its logs are in"
                " /tmp/ray/session_latest/logs"
            ) from error

    def _init(self, **how: Any) -> None:
        with _quiet():
            self.ray.init(log_to_driver=False, logging_level=logging.CRITICAL, **how)

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        if self._joined:
            with _quiet():
                self.ray.shutdown()
        self._talks._worker_logs_enabled = self._talked


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Ray's warnings, of its future and of its child processes, off the screen."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _no_cluster(address: str, error: Exception) -> EngineError:
    return EngineError(
        f"no Ray cluster answers at {address} ({_said(error)}); start one with ray"
        " start --head, or leave address= out to start one on this machine"
    )


def _said(error: Exception) -> str:
    """The first sentence of what Ray says, in one line."""
    said = " ".join(str(error).split())
    return said.partition(". ")[0][:200] or type(error).__name__
