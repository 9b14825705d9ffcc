"""A plugin of each kind whose module imports what is heavy."""

import numpy  # noqa: F401 - that is the fault
from planted_datasets import Two
from planted_engines import Echo
from planted_judges import Reader
from planted_strategies import RoundRobin

from rrm_harness import hookimpl

NAME = "bad-import-weight"


@hookimpl
def register_judges(register):
    register(NAME, Reader)


@hookimpl
def register_strategies(register):
    register(NAME, RoundRobin)


@hookimpl
def register_datasets(register):
    register(NAME, Two)


@hookimpl
def register_engines(register):
    register(NAME, Echo)
