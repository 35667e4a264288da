"""How recorded motions become clips of a body; offline, never called while an environment runs."""
