"""What verbs ask of the api, so that tests can stand something else in its place."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

import click

from .arguments import Inputs

if TYPE_CHECKING:
    from pathlib import Path

    from steerlang.api.program import Program
    from steerlang.api.settings import Settings
    from steerlang.language.compiling import Compiled


class Api(Protocol):
    """`steerlang.api`, as far as verbs use it."""

    def check(self, path: str | Path, parameters: Mapping[str, object] | None = None,
              settings: Settings | None = None) -> Compiled: ...

    def check_text(self, text: str, folder: str | Path = ".", parameters: Mapping[str, object] | None = None,
                   settings: Settings | None = None, name: str = "<text>", form: str | None = None) -> Compiled: ...

    def load(self, path: str | Path, parameters: Mapping[str, object] | None = None,
             settings: Settings | None = None) -> Program: ...


def api_of(ctx: click.Context) -> Api:
    """The api of this command line: what the caller handed in, else `steerlang.api`, imported now and not before."""
    given = ctx.find_root().obj
    return cast(Api, given if given is not None else import_module("steerlang.api"))


def settings(inputs: Inputs) -> Settings:
    """The api's settings from what the command line allows."""
    from steerlang.api.settings import Settings

    world = inputs.world
    return Settings(cache_dir=world.cache_dir, device=world.device, threads=world.threads, locked=world.locked,
                    offline=world.offline, trust_remote_code=world.trust_remote_code)
