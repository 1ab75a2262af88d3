"""The house: rooms in order, each importing only from rooms before it; light rooms load without anything heavy."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "steerlang"
# A room imports from itself and from rooms that stand before it. `graph` knows nothing of the language.
ROOMS = (
    "source", "diagnostics", "syntax", "data", "graph", "language", "functions", "highlighting", "engine", "kernels",
    "weights", "models", "learning", "exports", "operations", "reports", "api", "server", "cli",
)
LIGHT = ROOMS[: ROOMS.index("highlighting") + 1]
HEAVY = ("torch", "transformers", "numpy", "safetensors", "tokenizers", "sklearn", "scipy")
# Where torch may be imported when a module loads. Everywhere else it is imported by the function that needs it.
TORCH_ROOMS = ("kernels", "models", "learning", "operations")


@dataclass(frozen=True)
class Import:
    """One import statement: the file, its room, the module named, and the names taken from it."""

    file: Path
    line: int
    room: str
    module: str
    names: tuple[str, ...]
    nested: bool

    @property
    def target(self) -> str:
        """The room imported from; empty for the package itself and for other packages."""
        parts = self.module.split(".")
        if parts[0] != "steerlang":
            return ""
        return parts[1] if len(parts) > 1 else next((n for n in self.names if n in ROOMS), "")

    def __str__(self) -> str:
        return f"{self.file.relative_to(PACKAGE.parent)}:{self.line} imports {self.module} ({', '.join(self.names)})"


def files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports(path: Path) -> Iterator[Import]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = {id(node) for node in tree.body}
    package = ["steerlang", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(path, node.lineno, room_of(path), alias.name, (), id(node) not in top)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names = tuple(a.name for a in node.names)
            yield Import(path, node.lineno, room_of(path), module, names, id(node) not in top)


EVERY = [i for path in files() for i in imports(path)]


def test_every_file_lies_in_a_room() -> None:
    known = {*ROOMS, "__init__", "__main__"}
    assert {room_of(path) for path in files()} <= known


def test_rooms_import_only_from_rooms_before_them() -> None:
    order = {room: n for n, room in enumerate(ROOMS)}
    upwards = [
        str(i) for i in EVERY
        if i.room in order and i.target in order and order[i.target] > order[i.room]
    ]
    assert not upwards, "\n".join(upwards)


def test_nobody_reaches_into_private_names() -> None:
    """Names and modules that begin with `_` are used only by the module, or the folder, they belong to."""
    reaching = []
    for i in EVERY:
        if not i.module.startswith("steerlang"):
            continue
        private = [p for p in i.module.split(".") if p.startswith("_")] + [n for n in i.names if n.startswith("_")]
        private = [p for p in private if not (p.startswith("__") and p.endswith("__"))]
        if private:
            reaching.append(str(i))
    assert not reaching, "\n".join(reaching)


def test_torch_is_imported_at_load_only_where_it_lives() -> None:
    found = [
        str(i) for i in EVERY
        if i.module.split(".")[0] in ("torch", "transformers") and not i.nested and i.room not in TORCH_ROOMS
    ]
    assert not found, "\n".join(found)


def test_the_graph_knows_nothing_of_the_language() -> None:
    assert not [str(i) for i in EVERY if i.room == "graph" and i.target in ("language", "functions")]


def test_nothing_stored_can_be_executed() -> None:
    """No pickles, anywhere; no eval or exec of text."""
    executable = ("pickle", "cPickle", "dill", "marshal", "shelve", "joblib")
    modules = [str(i) for i in EVERY if i.module.split(".")[0] in executable]
    calls = [
        f"{path}:{node.lineno}" for path in files() for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec")
    ]
    assert not modules + calls


def _loads(modules: list[str], unwanted: tuple[str, ...]) -> list[str]:
    """Which of `unwanted` are loaded once `modules` are, in a fresh interpreter."""
    code = (
        "import importlib, sys\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        f"print(' '.join(m for m in {unwanted!r} if m in sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert found.returncode == 0, found.stderr
    return found.stdout.split()


def _modules(room: str) -> list[str]:
    inside = [p for p in files() if room_of(p) == room]
    return [".".join(p.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__") for p in inside]


def test_light_rooms_load_without_anything_heavy() -> None:
    assert _loads([m for room in LIGHT for m in _modules(room)], HEAVY) == []


# Of the api, what checking, planning and reading results need.
_API = [f"steerlang.api.{name}" for name in ("program", "settings", "planning", "results", "running")]


@pytest.mark.parametrize("modules", [_modules("engine"), _modules("reports"), _modules("cli"), _API],
                         ids=["engine", "reports", "cli", "api"])
def test_other_modules_that_load_without_torch(modules: list[str]) -> None:
    assert _loads(modules, ("torch", "transformers")) == []


def test_rooms_load_in_any_order() -> None:
    """Importing a late room first meets no circle."""
    assert _loads(["steerlang.cli.main", "steerlang.api", "steerlang.reports.html", "steerlang.source"], ()) == []
