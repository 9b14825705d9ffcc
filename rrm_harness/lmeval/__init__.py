"""Our tasks and judges inside lm-eval.

The `lm_eval` command finds them by itself. A program of one's own that uses lm-eval as
a library calls `register` first.
"""


def register() -> None:
    """Make our tasks and `rrm`, our model, known to lm-eval in this process, at once.

    Again is no harm. Bad input is told before a model loads only where
    `simple_evaluate` is looked up after this: call it before importing that by name.
    """
    from .startup import register_now

    register_now()
