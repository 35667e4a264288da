"""MuJoCo on a thread pool: one ``MjData`` per environment, stepped while the interpreter lock is free."""

from __future__ import annotations

import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from ms_envs.bodies.balance import measure_balance
from ms_envs.bodies.body import ROOT_DOF, Body
from ms_envs.physics.kernel import reflex_steps
from ms_envs.task.balance import Balance
from ms_envs.task.state import BodyState, Muscles, pose_from_coordinates

MAX_SPEED = 1000.0
"""Generalised speed above which physics counts as broken down, m/s or rad/s."""

RADIUS_OF_GYRATION = 0.4
"""Of a body about its root, m; it scales the torque of the spring that may support the root."""

STATE = mujoco.mjtState.mjSTATE_INTEGRATION


class ReflexCommand(NamedTuple):
    """Affine law of a spinal reflex arc, held over one control step: excitation = bias + k · length + d · velocity.

    Lengths and velocities are those of the engine's ``reflex_delay`` ago. MuJoCo clamps the excitation to [0, 1].

    Attributes:
        bias: (N, M).
        length_gain: 1/m, (M,).
        velocity_gain: s/m, (M,).
    """

    bias: NDArray[np.float64]
    length_gain: NDArray[np.float64]
    velocity_gain: NDArray[np.float64]


class RootSupport(NamedTuple):
    """Where a spring pulls the roots at every physics step of one control step.

    Attributes:
        qpos: Position and orientation of the reference root, (N, substeps, 7).
        qvel: Its velocity, (N, substeps, 6).
    """

    qpos: NDArray[np.float64]
    qvel: NDArray[np.float64]


class CpuEngine:
    """N copies of one body.

    A control step ends with the first half of the next physics step, so that positions, lengths and velocities belong
    to the same instant at no extra cost.

    Args:
        body: The body.
        num_envs: N.
        substeps: Physics steps in one control step.
        threads: Threads that step; 1 steps in the caller's.
        reflex_delay: Conduction delay of the reflex arc, physics steps.
        support: Natural frequency of a critically damped spring on the root, rad/s; 0 for none.
        model: What is simulated, if not the body's own model.
    """

    def __init__(
        self,
        body: Body,
        num_envs: int,
        substeps: int,
        threads: int,
        *,
        reflex_delay: int = 0,
        support: float = 0.0,
        model: mujoco.MjModel | None = None,
    ) -> None:
        self.body, self.num_envs, self.substeps = body, num_envs, substeps
        inertia = np.repeat([body.mass, body.mass * RADIUS_OF_GYRATION**2], 3)
        self._support_stiffness, self._support_damping = inertia * support**2, 2 * inertia * support
        self.model = model = model or body.model
        if support:
            self.model = model = copy.copy(model)
            model.dof_damping[:ROOT_DOF] = self._support_damping  # implicit, hence stable
        self.data = [mujoco.MjData(model) for _ in range(num_envs)]
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self._threads = threads
        self._control_step = substeps * model.opt.timestep
        muscles = body.model.nu
        self._qpos = np.zeros((num_envs, model.nq))
        self._qvel = np.zeros((num_envs, model.nv))
        self._key_position = np.zeros((num_envs, len(body.key_bodies), 3))
        self._muscles = Muscles(*(np.zeros((num_envs, muscles)) for _ in Muscles._fields))
        self._elapsed = np.zeros(num_envs)
        self._diverged = np.zeros(num_envs, dtype=np.bool_)
        self._afferent = np.zeros((num_envs, reflex_delay, 2, muscles))
        self._oldest = np.zeros(num_envs, dtype=np.int64)

    def reset(
        self,
        envs: NDArray[np.intp],
        qpos: NDArray[np.float64],
        qvel: NDArray[np.float64],
        activation: NDArray[np.float64],
    ) -> None:
        """Put some of the bodies into given states.

        Args:
            envs: Which, (n,).
            qpos: Generalised positions, (n, nq).
            qvel: Generalised velocities, (n, nv).
            activation: Muscle activations, (n, M).
        """
        self._qpos[envs], self._qvel[envs] = qpos, qvel
        self._muscles.activation[envs] = activation
        self._diverged[envs] = False
        for env in envs:
            self._restore(env)

    def step(
        self,
        command: NDArray[np.float64] | ReflexCommand,
        active: NDArray[np.bool_],
        support: RootSupport | None = None,
    ) -> None:
        """Advance bodies by one control step.

        A body whose physics breaks down stays in the state before the step and is flagged.

        Args:
            command: Excitations held over the step, (N, M), or a reflex law evaluated at every physics step.
            active: Which bodies move, (N,).
            support: Reference of the spring on the root, if the engine has one.
        """
        waiting = iter(np.flatnonzero(active).tolist())  # shared: a thread takes the next body when it is free
        before = self._qpos.copy(), self._qvel.copy(), self._muscles.activation.copy()
        advance = self._reflex(command, support) if isinstance(command, ReflexCommand) else self._hold(command, support)

        def work(_: int = 0) -> None:
            for env in waiting:
                data = self.data[env]
                data.time = 0.0  # MuJoCo starts over at time zero when it meets a bad number
                advance(env, data)
                self._copy(env, data)
                self._elapsed[env] = data.time

        if self._pool is None:
            work()
        else:
            list(self._pool.map(work, range(self._threads)))
        restarted = np.abs(self._elapsed - self._control_step) > 0.5 * self.model.opt.timestep
        usable = (np.abs(self._qvel).max(axis=1) < MAX_SPEED) & np.isfinite(self._qpos).all(axis=1)
        self._diverged = active & (restarted | ~usable)
        for env in np.flatnonzero(self._diverged).tolist():
            self._qpos[env], self._qvel[env], self._muscles.activation[env] = (values[env] for values in before)
            self._restore(env)

    def state(self) -> BodyState:
        """The state of all bodies; arrays are copies."""
        pose = pose_from_coordinates(
            np, self._qpos.copy(), self._qvel, self._key_position.copy(), **self.body.coordinate_layout
        )
        pose = pose._replace(root_linear_velocity=pose.root_linear_velocity.copy())
        return BodyState(pose, Muscles(*(values.copy() for values in self._muscles)), self._diverged.copy())

    def coordinates(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Copies of ``qpos`` (N, nq), ``qvel`` (N, nv) and muscle activations (N, M) of all bodies."""
        return self._qpos.copy(), self._qvel.copy(), self._muscles.activation.copy()

    def balance(self) -> Balance:
        """Centre of mass, angular momentum and torso of all bodies."""
        return measure_balance(self.body, self.model, self.data)

    def excitation(self) -> NDArray[np.float64]:
        """Excitations of the last physics step, in [0, 1], (N, M)."""
        return np.clip([data.ctrl for data in self.data], 0.0, 1.0)

    def get_state(self) -> dict[str, NDArray[np.float64]]:
        """Everything that decides the future, for an exact restart."""
        size = mujoco.mj_stateSize(self.model, STATE)
        states = np.zeros((self.num_envs, size))
        for data, state in zip(self.data, states, strict=True):
            mujoco.mj_getState(self.model, data, state, STATE)
        return {
            "physics": states,
            "muscle_force": self._muscles.force.copy(),
            "afferent": self._afferent.copy(),
            "oldest_afferent": self._oldest.copy(),
        }

    def set_state(self, state: dict[str, NDArray[np.float64]]) -> None:
        """Continue from what :meth:`get_state` returned."""
        for env, (data, values) in enumerate(zip(self.data, state["physics"], strict=True)):
            mujoco.mj_setState(self.model, data, np.ascontiguousarray(values), STATE)
            mujoco.mj_step1(self.model, data)
            self._copy(env, data)
        self._muscles.force[:] = state["muscle_force"]
        self._afferent[:], self._oldest[:] = state["afferent"], state["oldest_afferent"]

    def close(self) -> None:
        """Stop the threads."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def _hold(
        self, excitation: NDArray[np.float64], support: RootSupport | None
    ) -> Callable[[int, mujoco.MjData], None]:
        model, substeps, remaining = self.model, self.substeps, self.substeps - 1

        def advance(env: int, data: mujoco.MjData) -> None:
            data.ctrl[:] = excitation[env]
            if support is not None:
                for substep in range(substeps):
                    self._pull(data, support.qpos[env, substep], support.qvel[env, substep])
                    mujoco.mj_step2(model, data)
                    mujoco.mj_step1(model, data)
                return
            mujoco.mj_step2(model, data)
            if remaining:
                mujoco.mj_step(model, data, remaining)
            mujoco.mj_step1(model, data)

        return advance

    def _reflex(self, command: ReflexCommand, support: RootSupport | None) -> Callable[[int, mujoco.MjData], None]:
        substeps, model = self.substeps, self.model._address
        gains = command.length_gain, command.velocity_gain

        def advance(env: int, data: mujoco.MjData) -> None:
            muscles = data.ctrl, data.actuator_length, data.actuator_velocity
            afferent, oldest = self._afferent[env], self._oldest[env]
            if support is None:
                reflex_steps(model, data._address, substeps, *muscles, command.bias[env], *gains, afferent, oldest)
            else:
                for substep in range(substeps):
                    self._pull(data, support.qpos[env, substep], support.qvel[env, substep])
                    reflex_steps(
                        model, data._address, 1, *muscles, command.bias[env], *gains, afferent, oldest + substep
                    )
            if len(afferent):
                self._oldest[env] = (oldest + substeps) % len(afferent)

        return advance

    def _pull(self, data: mujoco.MjData, qpos: NDArray[np.float64], qvel: NDArray[np.float64]) -> None:
        """Apply the spring on the root; the model's damping of the root has the rest of it."""
        rotation = np.zeros(3)
        mujoco.mju_subQuat(rotation, qpos[3:], data.qpos[3:7])
        offset = np.concatenate([qpos[:3] - data.qpos[:3], rotation])
        data.qfrc_applied[:ROOT_DOF] = self._support_stiffness * offset + self._support_damping * qvel

    def _restore(self, env: int) -> None:
        data = self.data[env]
        mujoco.mj_resetData(self.model, data)
        data.qpos[:], data.qvel[:] = self._qpos[env], self._qvel[env]
        self._place_muscles(env, data)
        mujoco.mj_forward(self.model, data)
        self._copy(env, data)
        age = self.model.opt.timestep * np.arange(self._afferent.shape[1], 0, -1)[:, None]
        self._afferent[env, :, 0] = self._muscles.length[env] - age * self._muscles.velocity[env]
        self._afferent[env, :, 1] = self._muscles.velocity[env]
        self._oldest[env] = 0

    def _place_muscles(self, env: int, data: mujoco.MjData) -> None:
        """Let the activations of a body act in a state just set."""
        data.act[:] = self._muscles.activation[env]

    def _copy(self, env: int, data: mujoco.MjData) -> None:
        self._qpos[env], self._qvel[env] = data.qpos, data.qvel
        self._key_position[env] = data.xpos[self.body.key_body_ids]
        self._copy_muscles(env, data)

    def _copy_muscles(self, env: int, data: mujoco.MjData) -> None:
        muscles = self._muscles
        muscles.activation[env], muscles.force[env] = data.act, data.actuator_force
        muscles.length[env], muscles.velocity[env] = data.actuator_length, data.actuator_velocity
