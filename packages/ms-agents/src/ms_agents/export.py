"""Writing policies as files that other programs can use."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium
import safetensors.torch
from torch import Tensor

from ms_agents.exploration import CorrelatedExplorer, Explorer, FlowExplorer
from ms_agents.exported_policy import (
    GRAPH,
    MANIFEST,
    TRANSPORTS,
    WEIGHTS,
    Manifest,
    Network,
    observation_layout,
    sha256,
)
from ms_agents.identity import check_identity, environment_identity
from ms_agents.onnx_graph import onnx_graph
from ms_agents.ppo.algorithm import AggregatedPPO
from ms_agents.ppo.policy import TrackingPolicy
from ms_agents.runs import TrainingConfig, best_checkpoint, write_bytes
from ms_agents.versions import package_versions

FILES = {"safetensors": WEIGHTS, "onnx": GRAPH}
"""Format to the file it is written as."""


def export_run(run: Path, folder: Path, formats: Sequence[str] = ("safetensors",)) -> Path:
    """Export the best policy of a run, with its score if it has one; see :func:`export_policy`.

    Args:
        run: Run directory.
        folder: Folder to write.
        formats: Some of :data:`FILES`.

    Returns:
        The folder.

    Raises:
        ValueError: If the run is damaged, or cannot be exported so.
    """
    config = TrainingConfig.load(run)
    checkpoint = best_checkpoint(run)
    report = run / "report-trained.json"
    scored = report.is_file() and report.stat().st_mtime >= checkpoint.stat().st_mtime  # not one of an earlier policy
    return export_policy(
        AggregatedPPO.load(checkpoint, device="cpu"),
        folder,
        config.id,
        formats=formats,
        source={"run": run.resolve().name, "checkpoint": str(checkpoint.relative_to(run))},
        score=json.loads(report.read_text()) if scored else None,
        **config.env_kwargs,
    )


def export_policy(
    model: AggregatedPPO,
    folder: Path,
    env_id: str,
    *,
    formats: Sequence[str] = ("safetensors",),
    source: Mapping[str, Any] | None = None,
    score: Mapping[str, Any] | None = None,
    **env_kwargs: Any,
) -> Path:
    """Write what deterministic action needs, with a manifest of what it was made for.

    The folder holds ``manifest.json``, see :class:`~ms_agents.exported_policy.Manifest`, and by format

    - ``policy.safetensors``: weights and normaliser, by the names of
      :class:`~ms_agents.exported_policy.ExportedPolicy`, for :func:`ms_agents.load_policy`;
    - ``policy.onnx``: the same as a graph of opset 18, from ``observation`` (N, D) to ``action`` (N, A), float32.

    Files of an earlier export are replaced one by one, the manifest last.

    Args:
        model: The trained model.
        folder: Folder to write.
        env_id: Id of the environment it was trained in.
        formats: Some of :data:`FILES`.
        source: What else the manifest says of where the policy came from.
        score: Its tracking report.
        **env_kwargs: Arguments of the environment.

    Returns:
        The folder.

    Raises:
        ImportError: If a format needs a package that is not installed.
        ValueError: If a format is unknown, the folder is a run directory, the explorer has no export or the environment
            is not the one of the model.
    """
    folder = Path(folder)
    unknown = sorted(set(formats) - set(FILES))
    if unknown or not formats:
        raise ValueError(f"unknown formats {unknown}; choose from {list(FILES)}")
    if (folder / "config.json").exists():
        raise ValueError(f"{folder} is a run directory; export to another folder")
    explorer = type(model.explorer).__name__
    if explorer not in TRANSPORTS:
        raise ValueError(f"the explorer {explorer!r} has no export; those that have are {list(TRANSPORTS)}")
    env = gymnasium.make_vec(env_id, num_envs=1, **env_kwargs)
    try:
        check_identity(model.identity, env)
        identity, layout = environment_identity(env), observation_layout(env)
    finally:
        env.close()
    state, hyperparameters, box = model.policy_state_dict(), model.hyperparameters, model.policy.action_space
    network = Network(
        observations=model.policy.observation_space.shape[0],
        actions=box.shape[0],
        hidden=hyperparameters.hidden,
        activation=hyperparameters.activation,
        observation_clip=hyperparameters.observation_clip,
        explorer=explorer,
        **_flow(model.explorer),
    )
    tensors = _tensors(model.policy)
    write = {"safetensors": lambda: safetensors.torch.save(tensors), "onnx": lambda: onnx_graph(tensors, network)}
    contents = {FILES[name]: write[name]() for name in formats}
    manifest = Manifest(
        environment_id=env_id,
        environment_arguments=env_kwargs,
        identity=identity,
        observation_layout=layout,
        action_space={"low": box.low.tolist(), "high": box.high.tolist()},
        network=network,
        versions=package_versions(),
        source={**(source or {}), "steps": state["num_timesteps"], "seed": state["seed"]}
        | {"aggregator": state["aggregator_choice"]},
        files={name: sha256(content) for name, content in contents.items()},
        score=score and {name: value for name, value in score.items() if name != "per_episode"},
    )
    for name, content in (contents | {MANIFEST: manifest.to_json().encode()}).items():
        write_bytes(folder / name, content)
    for name in set(FILES.values()) - set(contents):
        (folder / name).unlink(missing_ok=True)
    return folder


def _flow(explorer: Explorer) -> dict[str, Any]:
    if not isinstance(explorer, FlowExplorer):
        return {}
    return {"flow_hidden": explorer.hyperparameters.hidden, "flow_steps": explorer.hyperparameters.steps}


def _tensors(policy: TrackingPolicy) -> dict[str, Tensor]:
    normalizer = policy.normalizer
    tensors = {
        "observation_mean": normalizer.mean.float(),
        "observation_scale": normalizer.scale,
        "action_rest": policy.rest,
        "action_half_range": policy.half_range,
        "action_low": policy.low,
        "action_high": policy.high,
    }
    actor = policy.actor.state_dict()
    if isinstance(policy.explorer, CorrelatedExplorer):
        last = len(policy.actor) - 1
        actor |= {name: policy.explorer.mixing @ actor[name] for name in (f"{last}.weight", f"{last}.bias")}
    tensors |= {f"actor.{name}": tensor for name, tensor in actor.items()}
    if isinstance(policy.explorer, FlowExplorer):
        normalizer, velocity = policy.explorer.normalizer, policy.explorer.velocity
        scale = {"observation_mean": normalizer.mean.float(), "observation_scale": normalizer.scale}
        tensors |= {f"transport.{name}": tensor for name, tensor in scale.items()}
        tensors |= {f"transport.velocity.{name}": tensor for name, tensor in velocity.state_dict().items()}
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
