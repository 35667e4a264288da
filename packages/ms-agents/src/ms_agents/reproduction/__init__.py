"""From a plan to a policy: feedback that keeps a body on the plan, cloning, lessons where clones go, and PPO."""

from __future__ import annotations
