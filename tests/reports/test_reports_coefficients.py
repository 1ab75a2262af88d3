"""How coefficients were found, in words, and one of a single block as a number."""

from __future__ import annotations

import pytest

from steerlang.reports.coefficient_words import coefficient_facts, ordinal
from steerlang.reports.findings import CoefficientTable, Findings
from steerlang.reports.html import page

TRIALS = [{"step": i, "scale": i / 20} for i in range(21)]


def test_steps_and_pools_in_words() -> None:
    found = {"objective": "supervised", "why": "the last step", "chosen": 20, "kept": "all", "trials": []}
    assert coefficient_facts(found, 20)["coefficients"] == "step 20 of 20: the last step; all task vectors took part"
    some = coefficient_facts({**found, "chosen": 3, "kept": "gradient_blockwise"}, 20)["coefficients"]
    assert some == "step 3 of 20: the last step; task vectors chosen by gradient blockwise"


def test_the_scale_of_a_search_and_its_place() -> None:
    found = {"objective": "supervised", "why": "the best of 21 scales: 0.5", "chosen": 10, "trials": TRIALS}
    assert coefficient_facts(found, 0)["coefficients"] == "scale 0.5 (11th of 21)"
    none = "no scale kept the control: the coefficients are 0"
    facts = coefficient_facts({**found, "chosen": 0, "why": none, "feasible": False}, 0)
    assert facts["coefficients"] == f"scale 0 (1st of 21): {none}"
    assert "constraint" in facts


@pytest.mark.parametrize("text", ["1st", "2nd", "3rd", "4th", "11th", "21st", "112th"])
def test_ordinals(text: str) -> None:
    assert ordinal(int(text[:-2])) == text


def test_one_block_is_a_number_and_no_heat_map() -> None:
    table = CoefficientTable("s", ("digits",), ("all",), ((0.45,),), (), {"objective": "negate", "why": "so"})
    html = page(Findings("p.steer", coefficients=(table,)))
    assert "<svg" not in html
    assert '<td>digits</td><td class="num">0.45</td>' in html
    assert "why" not in html
