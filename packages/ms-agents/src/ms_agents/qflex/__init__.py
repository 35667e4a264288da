"""Off-policy learning with value-guided flow exploration."""
