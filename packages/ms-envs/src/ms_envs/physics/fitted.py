"""The CPU engine with muscle paths that are functions of joint angles."""

from __future__ import annotations

from collections.abc import Callable

import mujoco
import numpy as np
from numpy.typing import NDArray

from ms_envs.bodies.body import Body
from ms_envs.paths.muscle_paths import MusclePaths
from ms_envs.physics.cpu import CpuEngine, ReflexCommand, RootSupport
from ms_envs.physics.fitted_kernel import BodyArrays, FittedMuscles, fitted_steps, measure_muscles, pull_muscles
from ms_envs.physics.fitted_model import without_muscles
from ms_envs.physics.muscle_kernel import muscle_table
from ms_envs.physics.path_kernel import path_table, path_work
from ms_envs.task.state import Muscles

Floats = NDArray[np.float64]


class FittedEngine(CpuEngine):
    """N copies of one body whose muscle forces are computed beside MuJoCo and enter it as joint torques.

    Muscles that have no fitted path keep their tendon in the simulated model, where it pulls with a force from outside;
    the muscle model is the same for all.

    Args:
        body: The body.
        num_envs: N.
        substeps: Physics steps in one control step.
        threads: Threads that step; 1 steps in the caller's.
        paths: Its fitted muscle paths.
        reflex_delay: Conduction delay of the reflex arc, physics steps.
        support: Natural frequency of a critically damped spring on the root, rad/s; 0 for none.

    Raises:
        ValueError: If the paths were fitted to another body, or the body's muscles are not MuJoCo's plain ones.
    """

    def __init__(
        self,
        body: Body,
        num_envs: int,
        substeps: int,
        threads: int,
        *,
        paths: MusclePaths,
        reflex_delay: int = 0,
        support: float = 0.0,
    ) -> None:
        paths.check_fits(body)
        parameters, model = muscle_table(body.model), without_muscles(body, paths.exact)
        super().__init__(body, num_envs, substeps, threads, reflex_delay=reflex_delay, support=support, model=model)
        table, exact = path_table(paths, body), paths.exact.astype(np.int64)
        self._fitted = FittedMuscles(table, parameters, exact, float(model.opt.timestep))
        self._parts = [
            (self._fitted, path_work(table), BodyArrays.of(data), Muscles(*(values[env] for values in self._muscles)))
            for env, data in enumerate(self.data)
        ]
        self._excitation = np.zeros((num_envs, body.model.nu))

    def excitation(self) -> Floats:
        """Excitations of the last physics step, in [0, 1], (N, M)."""
        return np.clip(self._excitation, 0.0, 1.0)

    def get_state(self) -> dict[str, Floats]:
        """Everything that decides the future, for an exact restart."""
        muscles = {"activation": self._muscles.activation.copy(), "excitation": self._excitation.copy()}
        return super().get_state() | muscles

    def set_state(self, state: dict[str, Floats]) -> None:
        """Continue from what :meth:`get_state` returned."""
        super().set_state(state)
        self._muscles.activation[:], self._excitation[:] = state["activation"], state["excitation"]

    def _hold(self, excitation: Floats, support: RootSupport | None) -> Callable[[int, mujoco.MjData], None]:
        no_gain, no_delay = np.zeros(excitation.shape[1]), np.zeros((0, 2, 0))
        return self._advance(ReflexCommand(excitation, no_gain, no_gain), support, [no_delay] * self.num_envs)

    def _reflex(self, command: ReflexCommand, support: RootSupport | None) -> Callable[[int, mujoco.MjData], None]:
        return self._advance(command, support, list(self._afferent))

    def _advance(
        self, command: ReflexCommand, support: RootSupport | None, afferents: list[Floats]
    ) -> Callable[[int, mujoco.MjData], None]:
        substeps, model = self.substeps, self.model._address
        gains = command.length_gain, command.velocity_gain

        def advance(env: int, data: mujoco.MjData) -> None:
            afferent, oldest = afferents[env], int(self._oldest[env])
            parts = *self._parts[env], self._excitation[env], command.bias[env], *gains, afferent
            if support is None:
                fitted_steps(model, data._address, substeps, *parts, oldest)
            else:
                for substep in range(substeps):
                    self._pull(data, support.qpos[env, substep], support.qvel[env, substep])
                    fitted_steps(model, data._address, 1, *parts, oldest + substep)
            if len(afferent):
                self._oldest[env] = (oldest + substeps) % len(afferent)

        return advance

    def _place_muscles(self, env: int, data: mujoco.MjData) -> None:
        self._excitation[env] = 0.0
        mujoco.mj_step1(self.model, data)
        measure_muscles(*self._parts[env])
        pull_muscles(*self._parts[env])

    def _copy_muscles(self, env: int, data: mujoco.MjData) -> None:
        measure_muscles(*self._parts[env])
