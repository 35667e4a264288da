"""Proximal policy optimisation whose reward and exploration are replaceable parts."""
