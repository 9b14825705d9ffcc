"""The errors a user can meet: one sentence each, never a traceback.

HarnessError
├── PluginError     a plugin does not load, clashes, or breaks a hook's contract
├── SpecError       an unknown name or option on the command line
├── DataError       a row of a file is not what its format says
├── OutputError     the output directory cannot be used
├── StoreError      the judgments' database cannot be used
├── EngineError     an engine cannot run, or died
├── FailuresError   more judgments failed than the user wants to see
└── TemplateError   a prompt or report template does not render
"""

from __future__ import annotations


class HarnessError(Exception):
    """Something the user can mend; the message says what, where and how."""


class PluginError(HarnessError):
    """A plugin does not load, clashes with another, or breaks a contract."""


class SpecError(HarnessError):
    """A name or an option is unknown, or has a value that it cannot have."""


class DataError(HarnessError):
    """A row of a file is not what the format says."""


class OutputError(HarnessError):
    """The output directory cannot be used for this run."""


class StoreError(HarnessError):
    """The database of judgments is corrupt, locked or of another version."""


class EngineError(HarnessError):
    """An engine is missing, cannot start, or died."""


class FailuresError(HarnessError):
    """As many judgments failed as the user allows; the run ended in order."""


class TemplateError(HarnessError):
    """A template is missing or does not render."""
