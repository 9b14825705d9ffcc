"""Training: the judge that was measured, as the reward of a policy."""

from rrm_harness.rewards.group import GroupReward

__all__ = ["GroupReward"]
