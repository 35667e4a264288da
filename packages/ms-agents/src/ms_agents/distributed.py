"""Learning in several processes, each with environments of its own and all with the same networks.

Every function that speaks of all processes must be called by all of them. In a single process each leaves the numbers
as they are.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed
from torch import Tensor, nn

PATIENCE = timedelta(hours=1)
"""How long processes wait for each other, such as while the first one evaluates."""


@contextmanager
def process_group() -> Iterator[None]:
    """Join the processes that ``torchrun`` started, if it did, and leave them at the end.

    Raises:
        ValueError: If only some of them find a GPU.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or world_size() > 1:
        yield
        return
    _keep_one_gpu(int(os.environ["LOCAL_RANK"]))
    gpu = torch.cuda.is_available()
    torch.distributed.init_process_group("cpu:gloo,cuda:nccl" if gpu else "gloo", timeout=PATIENCE)
    try:
        gpus = int(total(torch.tensor(int(gpu))))
        if gpus not in (0, world_size()):
            raise ValueError(
                f"{world_size()} processes found {gpus} GPUs; start as many as there are GPUs, or hide them with "
                "CUDA_VISIBLE_DEVICES=''"
            )
        yield
    finally:
        torch.distributed.destroy_process_group()


def world_size() -> int:
    """Number of processes that learn together."""
    distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
    return torch.distributed.get_world_size() if distributed else 1


def rank() -> int:
    """Number of this process; the first one, 0, keeps the run."""
    return torch.distributed.get_rank() if world_size() > 1 else 0


def share(amount: int, name: str) -> int:
    """This process's share of an amount.

    Raises:
        ValueError: If it cannot be shared evenly.
    """
    if amount % world_size():
        raise ValueError(f"{name} must be divisible by the number of processes, {world_size()}, got {amount}")
    return amount // world_size()


def total(values: Tensor) -> Tensor:
    """Sum over all processes."""
    if world_size() > 1:
        values = values.clone()
        torch.distributed.all_reduce(values)
    return values


def everywhere(condition: bool) -> bool:
    """Whether something holds in all processes."""
    return int(total(torch.tensor(int(condition)))) == world_size()


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Give parameters the mean of their gradients in all processes."""
    if world_size() == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    together = total(torch.cat([gradient.flatten() for gradient in gradients])) / world_size()
    for gradient, mean in zip(gradients, together.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def averaged(numbers: Mapping[str, float]) -> dict[str, float]:
    """Means of named numbers over all processes."""
    if world_size() == 1 or not numbers:
        return dict(numbers)
    means = total(torch.tensor(list(numbers.values()), dtype=torch.float64)) / world_size()
    return dict(zip(numbers, means.tolist(), strict=True))


def count_and_mean(rows: Tensor) -> tuple[int, Tensor]:
    """Number and mean of the rows (B, ...) of all processes; the mean of none is NaN."""
    if world_size() == 1:
        return len(rows), rows.mean(0)
    count = int(total(torch.tensor(len(rows))))
    return count, total(rows.sum(0)) / count


def count_mean_and_variance(rows: Tensor) -> tuple[int, Tensor, Tensor]:
    """Number, mean and variance (without correction) of the rows (B, ...) of all processes."""
    if world_size() == 1:
        return len(rows), rows.mean(0), rows.var(0, correction=0)
    count, mean = count_and_mean(rows)
    return count, mean, total((rows - mean).square().sum(0)) / count


def mean_and_std(values: Tensor) -> tuple[Tensor, Tensor]:
    """Mean () and corrected standard deviation () of the values (B,) of all processes."""
    if world_size() == 1:
        return values.mean(), values.std()
    count, mean, variance = count_mean_and_variance(values.double())
    return mean.to(values), (variance * count / (count - 1)).sqrt().to(values)


def broadcast_networks(*owners: Any) -> None:
    """Give networks, and those that are attributes of other objects, the weights they have in the first process."""
    if world_size() == 1:
        return
    for owner in owners:
        parts = [owner] if isinstance(owner, nn.Module) else vars(owner).values()
        for network in parts:
            if isinstance(network, nn.Module):
                for tensor in network.state_dict().values():
                    torch.distributed.broadcast(tensor, 0)


def from_first(value: Any) -> Any:
    """A plain value as the first process has it."""
    if world_size() == 1:
        return value
    values = [value]
    torch.distributed.broadcast_object_list(values, 0)
    return values[0]


def gathered(tree: Mapping[str, Any]) -> list[Any]:
    """Trees of tensors and plain values of all processes, in order, in the first one; nothing in the others."""
    if world_size() == 1:
        return [tree]
    trees = [None] * world_size() if rank() == 0 else None
    torch.distributed.gather_object(_in_main_memory(tree), trees)
    return trees or []


def _in_main_memory(tree: Any) -> Any:
    if isinstance(tree, Mapping):
        return {key: _in_main_memory(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_in_main_memory(value) for value in tree]
    return tree.cpu() if isinstance(tree, Tensor) else tree


def _keep_one_gpu(number: int) -> None:
    """Show torch, JAX and Warp in this process one GPU only; before any of them has looked."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    own = str(number) if visible is None else ",".join(visible.split(",")[number : number + 1])
    os.environ["CUDA_VISIBLE_DEVICES"] = own
