"""What stands beside a row for metrics goes along with what is generated for it."""

from __future__ import annotations

import json
from pathlib import Path

from .tiny import run

ROWS = [
    {"q": "good day", "a": ["yes", "no"], "t": "yes/no", "n": "x"},
    {"q": "no", "a": "tea | door", "t": "other", "n": "y"},
    {"q": "yes and no", "a": ["help"], "t": "other", "n": "z"},
]


def test_samples_carry_references_types_and_ids(project: Path) -> None:
    (project / "asked.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    done = run(
        project,
        """
        data    asked   = jsonl("asked.jsonl", text = "q", references = "a", answer_type = "t", id = "n")
        data    plain   = jsonl("asked.jsonl", text = "q")
        samples replies = generate(m, split(asked, fraction = 0.67, seed = 0, part = first), max_new_tokens = 2)
        samples bare    = generate(m, plain, max_new_tokens = 2)
        """,
    )
    by_id = {row["n"]: row for row in ROWS}
    assert len(done["replies"]) == 2
    for sample in done["replies"]:
        assert (sample.prompt, sample.answer_type) == (by_id[sample.id]["q"], by_id[sample.id]["t"])
        assert sample.references == {"x": ("yes", "no"), "y": ("tea", "door"), "z": ("help",)}[sample.id]
    assert [(s.id, s.references, s.answer_type) for s in done["bare"]] == [(i, (), None) for i in range(3)]
