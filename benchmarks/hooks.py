"""What a hook costs: microseconds a layer and token, against an in-place addition of a prepared tensor.

    python benchmarks/hooks.py

One block of width 2048 whose forward does nothing, one token at a time, as in decoding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from measuring import Table, median, one_thread, ratio, take_turns, write
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from steerlang.models import LoadedModel, wrap
from steerlang.models.actions import Ablate, Add, Clamp, Operator, Replace, Rotate, SteeringAction
from steerlang.models.overlay import Overlay
from steerlang.models.scopes import GeneratedTokens
from steerlang.models.sites import Site

WIDTH, CALLS = 2048, 4000
OPERATORS: dict[str, Operator] = {
    "add": Add(),
    "add, norm = keep": Add("keep"),
    "rotate": Rotate(),
    "ablate": Ablate(),
    "clamp": Clamp(1.0),
    "replace": Replace(),
}


def idle_model() -> LoadedModel:
    """A model of one block; the block gives back what it gets."""
    config = LlamaConfig(
        vocab_size=8, hidden_size=WIDTH, intermediate_size=8, num_hidden_layers=1, num_attention_heads=16,
        num_key_value_heads=1,
    )
    loaded = wrap(LlamaForCausalLM(config), None)
    block: Any = loaded.layout.blocks[0]
    block.forward = lambda h: h
    return loaded


def calls(block: Any) -> Callable[[], None]:
    states = torch.randn(1, 1, WIDTH)

    def act() -> None:
        with torch.inference_mode():
            for _ in range(CALLS):
                block(states)

    return act


@contextmanager
def least(block: Any, delta: Tensor) -> Iterator[None]:
    """The least a hook can do: one addition in place of a tensor that is ready."""
    handle = block.register_forward_hook(lambda _, __, states: states.add_(delta))
    try:
        yield
    finally:
        handle.remove()


def variants(loaded: LoadedModel) -> dict[str, Callable[[], None]]:
    """Each way to steer, and none, as something to call."""
    block, act = loaded.layout.blocks[0], calls(loaded.layout.blocks[0])
    directions = {0: torch.randn(1, WIDTH)}

    def inside(make: Callable[[], Any]) -> Callable[[], None]:
        def run() -> None:
            with make():
                act()

        return run

    found = {"no hook": act, "least hook": inside(lambda: least(block, torch.zeros(WIDTH)))}
    for name, operator in OPERATORS.items():
        action = SteeringAction(operator, Site("residual"), directions, (1.0,))
        found[name] = inside(lambda a=action: Overlay(loaded, ((a,),)))
    several = [SteeringAction(Add(), Site("residual"), directions, (float(s),)) for s in range(3)]
    found["three additions"] = inside(lambda: Overlay(loaded, (tuple(several),)))
    later = SteeringAction(Add(), Site("residual"), directions, (1.0,), GeneratedTokens())
    found["add, generated tokens"] = inside(lambda: Overlay(loaded, ((later,),)))
    return found


def main() -> None:
    one_thread()
    times = take_turns(variants(idle_model()), rounds=9)
    table = Table(
        "A hook: microseconds a layer and token",
        ("what the hook does", "µs a call", "µs over no hook", "× least hook"),
        notes=[f"Width {WIDTH}, one row, one token, float32. Least hook: `states.add_(prepared)`."],
    )
    floor = median(times, "no hook") / CALLS * 1e6
    for name in times:
        each = median(times, name) / CALLS * 1e6
        table.add(name, each, each - floor if name != "no hook" else "", ratio(times, name, "least hook"))
    write("hooks", [table])


if __name__ == "__main__":
    main()
