"""The VS Code folder: what it names is there, snippets are programs, and the client starts the server."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from steerlang.api.program import check_text
from steerlang.functions import registry
from steerlang.source import Source
from steerlang.syntax import parse

from .highlighting_corpus import ROOT

FOLDER = ROOT / "editors" / "vscode"
PACKAGE = json.loads((FOLDER / "package.json").read_text(encoding="utf-8"))
SNIPPETS: dict[str, Any] = json.loads((FOLDER / "snippets" / "steerlang.json").read_text(encoding="utf-8"))
_CHOICE = re.compile(r"\$\{\d+\|([^,|]*)[^}]*\|\}")
_DEFAULT = re.compile(r"\$\{(\d+):([^}]*)\}")


def test_what_it_names_is_there() -> None:
    contributed = PACKAGE["contributes"]
    paths = [PACKAGE["main"], *(c["path"] for c in (*contributed["grammars"], *contributed["snippets"]))]
    paths += [language["configuration"] for language in contributed["languages"]]
    assert [p for p in paths if not (FOLDER / p).is_file()] == []
    for grammar in contributed["grammars"]:
        assert json.loads((FOLDER / grammar["path"]).read_text(encoding="utf-8"))["scopeName"] == grammar["scopeName"]


def test_words_are_names() -> None:
    configuration = json.loads((FOLDER / "language-configuration.json").read_text(encoding="utf-8"))
    assert re.findall(configuration["wordPattern"], "polite = common.x_1 + 8..16") == ["polite", "common", "x_1"]


def _filled(snippet: dict[str, Any]) -> str:
    """A snippet as it stands once one has stepped through it without changing anything."""
    text = _CHOICE.sub(r"\1", "\n".join(snippet["body"]))
    values = dict(_DEFAULT.findall(text))
    text = _DEFAULT.sub(r"\2", text)
    return re.sub(r"\$(\d+)", lambda m: values.get(m.group(1), ""), text)


@pytest.mark.parametrize("name", sorted(SNIPPETS))
def test_snippets_are_programs(name: str) -> None:
    text = _filled(SNIPPETS[name])
    program, found = parse(Source(name, text if text.startswith("steerlang") else f"steerlang 1\n{text}"))
    assert found == []
    assert {d.kind.id for d in program.definitions} <= set(registry().kinds)


def test_the_first_program_is_sound() -> None:
    assert check_text(_filled(SNIPPETS["Program"]), ROOT / "specs").diagnostics == ()


def test_the_problem_matcher_reads_our_lines() -> None:
    (matcher,) = PACKAGE["contributes"]["problemMatchers"]
    line = "specs/a.steer:3:12: error[SL206]: there is no function `extrct`"
    found = re.match(matcher["pattern"]["regexp"], line)
    assert found is not None
    assert found.groups() == ("specs/a.steer", "3", "12", "error", "SL206", "there is no function `extrct`")


STUB = """
const Module = require("module");
const said = { shown: [] };
class LanguageClient {
  constructor(id, name, server, client) { Object.assign(said, { server, client }); }
  async start() { if (process.argv[2] === "fails") throw new Error("not there"); }
  isRunning() { return true; }
  async stop() { said.stopped = true; }
}
const vscode = {
  commands: { registerCommand: (name) => ((said.command = name), {}) },
  window: { showErrorMessage: (text) => said.shown.push(text) },
  workspace: {
    workspaceFolders: [{ uri: { fsPath: "/project" } }],
    getConfiguration: () => ({ get: (key) => ({ "server.command": ["steerlang", "lsp"], docs: "" })[key] }),
  },
};
const load = Module._load;
Module._load = (name, ...rest) =>
  name === "vscode" ? vscode : name === "vscode-languageclient/node" ? { LanguageClient } : load(name, ...rest);
const extension = require(process.argv[1]);
(async () => {
  await extension.activate({ subscriptions: [] });
  await extension.deactivate();
  console.log(JSON.stringify(said));
})();
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
@pytest.mark.parametrize("fails", [False, True])
def test_the_client_starts_the_server(fails: bool, tmp_path: Path) -> None:
    command = ["node", "-e", STUB, str(FOLDER / "extension.js"), "fails" if fails else "works"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    said = json.loads(found.stdout)
    assert said["server"] == {"command": "steerlang", "args": ["lsp"], "options": {"cwd": "/project"}}
    assert said["client"]["documentSelector"][0] == {"language": "steerlang"}
    assert said["command"] == PACKAGE["contributes"]["commands"][0]["command"]
    assert bool(said["shown"]) == fails
    assert not fails or "pip install 'steerlang[lsp]'" in said["shown"][0]
    assert said["stopped"]
