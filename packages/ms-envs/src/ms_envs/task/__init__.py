"""The imitation task as pure functions on batched arrays, shared by every physics engine."""
