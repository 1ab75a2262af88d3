"""The page of the command line, from click's own commands."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import click
from tables import NOTICE, table

from steerlang.cli import options
from steerlang.cli.exit_codes import ExitCode
from steerlang.cli.main import ALIASES, VERBS, cli

# Options that several verbs share: what they are called on the page, and what declares them.
SHARED: dict[str, Callable[[Any], Any]] = {
    "Options for programs": options.program_options,
    "Options that choose what runs": options.selection_options,
    "Options for what is shown": options.output_options,
}
ALONE = ("--format",)  # takes other words with other verbs, so it stands with each


def cli_page() -> str:
    """Every verb: usage, what it does, its options; shared options and exit codes once."""
    lines = [
        "# Command line",
        "",
        NOTICE,
        "",
        "`steerlang VERB --help` shows the same on a terminal. How programs are run stands in",
        "[running programs](running.md), what a program is in [the language](language.md).",
        "",
        *table(("verb", "what it does"), ((f"[`{name}`](#{name})", words) for name, words in VERBS.items())),
    ]
    ctx = click.Context(cli, info_name="steerlang")
    for name in VERBS:
        command = cli.get_command(ctx, name)
        assert command is not None
        lines += _verb(name, command, ctx)
    for title, declare in SHARED.items():
        lines += ["", f"## {title}", "", *_options(_declared(declare))]
    codes = ((str(int(c)), c.meaning) for c in ExitCode)
    lines += ["", "## Exit codes", "", *table(("code", "meaning"), codes)]
    return "\n".join(lines) + "\n"


def _verb(name: str, command: click.Command, parent: click.Context) -> Iterator[str]:
    also = [alias for alias, of in ALIASES.items() if of == name]
    yield from ("", f"## {name}", "")
    if isinstance(command, click.Group):
        ctx = click.Context(command, info_name=name, parent=parent)
        yield from _paragraphs(command.help)
        for below in command.list_commands(ctx):
            found = command.get_command(ctx, below)
            assert found is not None
            yield from ("", f"### {name} {below}", "")
            yield from _body(f"{name} {below}", found, ctx)
    else:
        yield from _body(name, command, parent)
        if also:
            yield from ("", f"`steerlang {also[0]}` is the same.")


def _body(name: str, command: click.Command, parent: click.Context) -> Iterator[str]:
    usage = " ".join(command.collect_usage_pieces(click.Context(command, info_name=name, parent=parent)))
    yield from ("```console", f"$ steerlang {name} {usage}", "```", "")
    yield from _paragraphs(command.help)
    found = [p for p in command.params if isinstance(p, click.Option)]
    groups = {title: _declared(declare) for title, declare in SHARED.items()}
    taken = [title for title, group in groups.items() if {_name(o) for o in group} <= {_name(o) for o in found}]
    shared = {_name(o) for title in taken for o in groups[title]}
    own = [o for o in found if _name(o) not in shared]
    if own:
        yield from ("", *_options(own))
    if taken:
        links = ", ".join(f"[{title[0].lower()}{title[1:]}](#{title.lower().replace(' ', '-')})" for title in taken)
        yield from ("", f"And {links}.")


def _declared(declare: Callable[[Any], Any]) -> list[click.Option]:
    """The options that a decorator of `cli/options.py` gives, in the order of `--help`."""

    def nothing(**_: Any) -> None:
        """Stands for a verb."""

    made = click.command("nothing")(declare(nothing))
    return [p for p in made.params if isinstance(p, click.Option) and _name(p) not in ALONE]


def _name(option: click.Option) -> str:
    return max(option.opts, key=len)


def _options(found: list[click.Option]) -> list[str]:
    return table(("option", "default", "meaning"), (_option(o) for o in found))


def _option(option: click.Option) -> tuple[str, ...]:
    takes = "" if option.is_flag or option.count else f" {_takes(option)}"
    names = ", ".join(f"`{name}{takes}`" for name in option.opts)
    default = f"`{option.default}`" if option.show_default else ""
    variable = f" Also by the variable `{option.envvar}`." if option.envvar else ""
    return (names, default, f"{_sentence(option.help)}{variable}")


def _takes(option: click.Option) -> str:
    if isinstance(option.type, click.Choice):
        return "|".join(str(c) for c in option.type.choices)
    return option.metavar or option.type.name.upper()


def _sentence(text: str | None) -> str:
    words = (text or "").strip()
    return words if words.endswith(".") else f"{words}."


def _paragraphs(help: str | None) -> Iterator[str]:
    """Help as Markdown: options as code, words in capitals as they stand."""
    text = inspect.cleandoc(help or "").replace("\b\n", "")
    for i, paragraph in enumerate(text.split("\n\n")):
        if i:
            yield ""
        yield re.sub(r"(?<![`\w-])(--[a-z][a-z-]*)(?![`\w])", r"`\1`", " ".join(paragraph.split()))
