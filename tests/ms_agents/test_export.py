from __future__ import annotations

import importlib
import json
import os
import pickle
import sys

import numpy as np
import pytest
import torch
from ms_agents import AggregatedPPO, evaluate, export_policy, load_policy
from ms_agents.cli import main
from ms_agents.exploration import GaussianExplorer
from ms_agents.exported_policy import sha256
from ms_agents.hyperparameters import Hyperparameters
from ms_agents.runs import BEST, TrainingConfig, load_run

ID = "point_mass_env:PointMass-v0"
OBSERVATIONS = np.random.default_rng(0).normal(scale=3.0, size=(50, 8)).astype(np.float32)
OBSERVATIONS[0] *= 100  # beyond what the normaliser lets through


@pytest.fixture
def make_model(make_env):
    def make(activation: str = "silu", **options) -> AggregatedPPO:
        network = {"hidden": (32, 16), "activation": activation, "output_scale": 30.0}
        constants = Hyperparameters(environments=8, rollout_steps=16, minibatch=64, **network)
        model = AggregatedPPO(env=make_env(), hyperparameters=constants, seed=0, **options)
        model.policy.normalizer.update(model._tensor(1 + OBSERVATIONS[1:] / 2))
        return model

    return make


@pytest.fixture
def exported(make_model, tmp_path):
    return export_policy(make_model(), tmp_path / "exported", ID)


def change_manifest(folder, **changes):
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize("activation", ["silu", "relu", "tanh"])
def test_every_format_acts_as_the_model_does(make_model, tmp_path, activation):
    pytest.importorskip("onnx", reason="the extra ms-agents[onnx] is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="the extra ms-agents[onnx] is not installed")
    model = make_model(activation)
    expected, _ = model.predict(OBSERVATIONS, deterministic=True)
    assert 0.1 < (np.abs(expected) == 1).mean() < 0.9  # some actions are clipped, others are not
    folder = export_policy(model, tmp_path, ID, formats=("safetensors", "onnx"))
    policy = load_policy(folder)
    assert np.array_equal(policy.predict(OBSERVATIONS)[0], expected)
    assert np.allclose(policy.predict(OBSERVATIONS[0])[0], expected[0], atol=1e-6)
    session = runtime.InferenceSession(folder / "policy.onnx")
    for batch in (1, 50):
        (action,) = session.run(["action"], {"observation": OBSERVATIONS[:batch]})
        assert np.allclose(action, expected[:batch], atol=1e-5)


def test_state_dependent_noise_leaves_the_deterministic_action_alone(make_model, tmp_path):
    model = make_model(explorer="gsde")
    policy = load_policy(export_policy(model, tmp_path, ID))
    assert np.array_equal(policy.predict(OBSERVATIONS)[0], model.predict(OBSERVATIONS, deterministic=True)[0])


def test_flow_is_exported_with_its_own_scale_of_the_observations(make_model, tmp_path):
    pytest.importorskip("onnx", reason="the extra ms-agents[onnx] is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="the extra ms-agents[onnx] is not installed")
    model = make_model(explorer="flow")
    without = model.predict(OBSERVATIONS, deterministic=True)[0]
    torch.manual_seed(0)
    for parameter in model.explorer.velocity.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    model.explorer.normalizer.update(model._tensor(3 - OBSERVATIONS[1:]))
    expected = model.predict(OBSERVATIONS, deterministic=True)[0]
    assert (np.abs(expected - without) > 0.01).mean() > 0.3
    folder = export_policy(model, tmp_path, ID, formats=("safetensors", "onnx"))
    assert np.allclose(load_policy(folder).predict(OBSERVATIONS)[0], expected, atol=1e-5)
    session = runtime.InferenceSession(folder / "policy.onnx")
    for batch in (1, 50):
        (action,) = session.run(["action"], {"observation": OBSERVATIONS[:batch]})
        assert np.allclose(action, expected[:batch], atol=1e-5)


def test_the_manifest_says_what_the_policy_was_made_for(make_model, tmp_path):
    folder = export_policy(make_model(), tmp_path, ID, score={"coverage": 40.0, "per_episode": {}}, mass=1.0)
    manifest = load_policy(folder).manifest
    assert (manifest.environment_id, manifest.environment_arguments) == (ID, {"mass": 1.0})
    assert manifest.identity["body_hash"] == "mass-1.0" and manifest.identity["clip_hash"]
    assert manifest.observation_layout == {"observation": [0, 8]}
    assert manifest.action_space == {"low": [-1, -1], "high": [1, 1]}
    assert manifest.source == {"steps": 0, "seed": 0, "aggregator": "adversarial"}
    assert manifest.score == {"coverage": 40.0}
    assert {"torch", "ms-agents"} <= set(manifest.versions)


def test_an_exported_policy_can_be_scored(exported):
    assert 0 < evaluate(load_policy(exported), ID, episodes=2, horizon=0.5).survival <= 0.5


def test_loading_needs_no_stable_baselines(exported, monkeypatch):
    for name in [name for name in sys.modules if name.startswith(("ms_agents", "stable_baselines3"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "stable_baselines3", None)
    assert importlib.import_module("ms_agents").load_policy(exported).predict(OBSERVATIONS)[0].shape == (50, 2)


def test_another_environment_is_refused_by_name(exported, make_env):
    with pytest.raises(ValueError, match="body_hash 'mass-1.0', not 'mass-2.0'"):
        load_policy(exported, make_env(mass=2.0))
    fine = make_env()
    load_policy(exported, fine)
    clip_hash = json.loads((exported / "manifest.json").read_text())["identity"]["clip_hash"]
    fine.clip.loop = False
    with pytest.raises(ValueError, match=f"clip_hash '{clip_hash}', not "):
        load_policy(exported, fine)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"observation_layout": {"height": [0, 1], "observation": [1, 8]}}, r"'height' of the observation at \[0, 1\]"),
        ({"action_space": {"low": [0, 0], "high": [1, 1]}}, r"action space Box\(0.0, 1.0"),
        ({"action_space": {"low": [-1], "high": [1]}}, r"action space Box\(-1.0, 1.0, \(1,\)"),
    ],
)
def test_another_layout_or_action_space_is_refused(exported, make_env, changes, message):
    change_manifest(exported, **changes)
    with pytest.raises(ValueError, match=message):
        load_policy(exported, make_env())


def test_damaged_and_foreign_files_are_refused(exported, tmp_path):
    weights, manifest = exported / "policy.safetensors", (exported / "manifest.json").read_text()
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + b"!")
    with pytest.raises(ValueError, match="damaged or of another export"):
        load_policy(exported)
    change_manifest(exported, files={"policy.safetensors": sha256(content[:-9])})
    weights.write_bytes(content[:-9])
    with pytest.raises(ValueError, match="does not fit"):
        load_policy(exported)
    weights.write_bytes(content)
    network = json.loads(manifest)["network"]
    for change in ({"hidden": [32]}, {"activation": "step"}, {"explorer": "FlowExplorer"}, {"hidden": None}):
        (exported / "manifest.json").write_text(manifest)
        change_manifest(exported, network=network | change)
        with pytest.raises(ValueError, match="does not fit"):
            load_policy(exported)
    change_manifest(exported, format=99)
    with pytest.raises(ValueError, match="format 99"):
        load_policy(exported)
    for text in (manifest[:100], "[]", '{"format": 1}'):
        (exported / "manifest.json").write_text(text)
        with pytest.raises(ValueError, match="is damaged"):
            load_policy(exported)
    with pytest.raises(ValueError, match="not an exported policy"):
        load_policy(tmp_path)


def test_loading_never_runs_code_from_the_file(exported, tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "exploded"),)

    bomb = pickle.dumps(Bomb())
    (exported / "policy.safetensors").write_bytes(bomb)
    change_manifest(exported, files={"policy.safetensors": sha256(bomb)})
    with pytest.raises(ValueError, match="does not fit"):
        load_policy(exported)
    assert not (tmp_path / "exploded").exists()


def test_another_export_replaces_the_first(make_model, tmp_path):
    pytest.importorskip("onnx", reason="the extra ms-agents[onnx] is not installed")
    export_policy(make_model("tanh"), tmp_path, ID, formats=("onnx",))
    with pytest.raises(ValueError, match="has no policy.safetensors"):
        load_policy(tmp_path)
    export_policy(make_model("relu"), tmp_path, ID)
    assert load_policy(tmp_path).manifest.network.activation == "relu"
    assert {path.name for path in tmp_path.iterdir()} == {"manifest.json", "policy.safetensors"}


def test_what_cannot_be_exported_is_refused_by_name(make_model, tmp_path):
    class Own(GaussianExplorer):
        pass

    with pytest.raises(ValueError, match="'Own' has no export; those that have are .*'FlowExplorer'"):
        export_policy(make_model(explorer=Own()), tmp_path, ID)
    with pytest.raises(ValueError, match="'pickle'.*'safetensors', 'onnx'"):
        export_policy(make_model(), tmp_path, ID, formats=("pickle",))
    with pytest.raises(ValueError, match="body_hash 'mass-1.0', not 'mass-2.0'"):
        export_policy(make_model(), tmp_path, ID, mass=2.0)
    assert not any(tmp_path.iterdir())


def test_an_exported_policy_refuses_what_it_cannot_do(exported):
    policy = load_policy(exported)
    with pytest.raises(ValueError, match="deterministically"):
        policy.predict(OBSERVATIONS, deterministic=False)
    with pytest.raises(ValueError, match=r"\(8,\) or \(N, 8\), got \(50, 7\)"):
        policy.predict(OBSERVATIONS[:, :7])


def test_the_command_exports_a_run_that_evaluate_accepts(make_model, tmp_path, monkeypatch, capsys):
    run, folder = tmp_path / "run", tmp_path / "exported"
    model = make_model()
    TrainingConfig(id=ID).save(run, model.identity)
    model.save(run / BEST)
    (run / "report-trained.json").write_text('{"coverage": 40.0}')

    def command(*arguments: object) -> None:
        monkeypatch.setattr(sys, "argv", ["ms-agents", *map(str, arguments)])
        main()

    command("export", run, "--output", folder)
    manifest = load_run(folder)[0].manifest
    assert manifest.source["run"] == "run" and manifest.source["checkpoint"] == BEST
    assert manifest.score == {"coverage": 40.0}
    command("evaluate", folder, "--episodes", "2", "--horizon", "0.5")
    assert "trained" in capsys.readouterr().out
    for arguments, message in (
        (("export", run, "--output", run), "is a run directory"),
        (("export", folder, "--output", tmp_path / "again"), "not a run directory"),
        (("evaluate", folder, "--checkpoint", run / BEST), "no other checkpoints"),
    ):
        with pytest.raises(SystemExit):
            command(*arguments)
        assert message in capsys.readouterr().err
