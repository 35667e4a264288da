"""From plans to policies: demonstrations by search, cloning, visited states searched anew, and fine-tuning by PPO."""

from __future__ import annotations
