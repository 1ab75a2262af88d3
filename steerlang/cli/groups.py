"""Groups of commands that answer a misspelt one with the nearest."""

from __future__ import annotations

from collections.abc import Iterable

import click

from steerlang.diagnostics.suggest import did_you_mean


class Misused(click.UsageError):
    """A mistake on the command line, with the help that goes with it."""

    def __init__(self, message: str, ctx: click.Context | None, help: Iterable[str] = ()) -> None:
        super().__init__(message, ctx)
        self.help = tuple(help)


class Verbs(click.Group):
    """A group of commands."""

    def resolve_command(
        self, ctx: click.Context, args: list[str],
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            raise Misused(f"there is no verb `{name}`", ctx, self.near(ctx, name))
        return super().resolve_command(ctx, args)

    def near(self, ctx: click.Context, name: str) -> tuple[str, ...]:
        """Help for a verb that does not exist."""
        return did_you_mean(name, self.list_commands(ctx))
