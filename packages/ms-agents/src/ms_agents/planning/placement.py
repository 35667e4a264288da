"""Where to put the swinging foot so that the body does not fall."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

REGULARISATION = 0.02
"""Of the inverse of a foot's Jacobian, (m/rad)²; keeps a stretched leg from asking for large angles."""


def foot_placement(
    balance_error: Array, swings: NDArray[np.bool_], jacobian: Array, gain: float, reach: float
) -> Array:
    """Offsets of joint angles that move each swinging foot to where the other one calls for it.

    The foot moves by the error of the capture point relative to the standing foot, as in the controllers of Raibert
    (1986) and Pratt et al. (2006).

    Args:
        balance_error: Error of the capture point relative to the right and the left foot, m, (2, 2).
        swings: Whether the right and the left foot swing, (2,).
        jacobian: How the feet move with the joints, m/rad, (2, 3, D).
        gain: Share of the error that is taken.
        reach: Farthest displacement along x and y, m.

    Returns:
        rad, (D,).
    """
    offset = np.zeros(jacobian.shape[-1])
    for foot in np.flatnonzero(swings):
        horizontal = np.clip(gain * balance_error[1 - foot], -reach, reach)
        j = jacobian[foot]
        offset += j.T @ np.linalg.solve(j @ j.T + REGULARISATION * np.eye(3), np.append(horizontal, 0.0))
    return offset
