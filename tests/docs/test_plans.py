"""Every program of `specs/` can be planned before anything ran, as text and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from steerlang.cli.main import cli

SPECS = Path(__file__).parents[2] / "specs"
SPEC_FILES = sorted(SPECS.rglob("*.steer"))


@pytest.mark.skipif(
    not (SPECS / "models" / "courtesy" / "model.safetensors").exists(), reason="the models of specs/models are not here"
)
@pytest.mark.parametrize("path", SPEC_FILES, ids=lambda p: str(p.relative_to(SPECS)))
def test_specs_can_be_planned(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for form in ("text", "json"):
        arguments = ["plan", str(path), "--format", form, "--offline", "--cache-dir", str(tmp_path / "cache")]
        code = cli.main(arguments, standalone_mode=False)
        shown = capsys.readouterr()
        assert "SL900" not in shown.out + shown.err
        assert code == 0, shown.err
        if form == "json":
            assert json.loads(shown.out)["definitions"], shown.out
