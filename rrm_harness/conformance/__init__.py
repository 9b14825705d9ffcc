"""The conformance kit: what a plugin of each kind promises, and whether one keeps it.

`pytest --rrm-conformance NAME` and `rrm-harness check plugin NAME` ask it; from
Python it is `rrm_harness.conformance.kit.check`. No model is needed: judges are
answered from a script, strategies by judges that are made up.
"""
