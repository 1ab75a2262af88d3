"""Sweeps and lists of models: which axes a value has, how one selects along them, and what is measured where."""

from __future__ import annotations

from .language_programs import accepted, body, compiled, key, said

SWEPT = """sweep s = [0.0, 0.1, 0.2]
model k = apply(m, add(v, scale = s))
samples out = generate([m, k], words)
metric x = distinct(out)
"""


def axes(text: str, name: str) -> list[tuple[str, tuple[object, ...]]]:
    return [(a.name, a.labels) for a in accepted(body(text)).tables[name].axes]


def test_a_sweep_is_an_axis_of_all_that_depends_on_it() -> None:
    assert axes(SWEPT, "k") == [("s", (0.0, 0.1, 0.2))]
    assert axes(SWEPT, "v") == []


def test_a_list_of_models_is_an_axis_named_by_the_models() -> None:
    assert axes(SWEPT, "out") == [("model", ("m", "k")), ("s", (0.0, 0.1, 0.2))]


def test_two_sweeps_give_every_pair_of_points() -> None:
    result = body("sweep s = [1, 2]\nsweep layer = [3, 4, 5]\nmodel k = apply(m, add(v, scale = s, layers = layer))")
    assert len(accepted(result).tables["k"].cells) == 6
    alone = body("model k = apply(m, add(v, scale = 2, layers = 5))")
    assert key(result, "k[s = 2, layer = 5]") == key(alone, "k")


def test_the_order_of_axes_is_that_in_which_they_are_met() -> None:
    text = "sweep a = [1, 2]\nsweep b = [3, 4]\nvector w = b * (a * v)"
    assert [name for name, _ in axes(text, "w")] == ["b", "a"]


def test_sweeps_of_models_vectors_layers_and_texts() -> None:
    text = """vector u = unit(v)
sweep which = [v, u]
sweep where = [3..4, 25%..75%]
sweep who   = [m, apply(m, add(v))]
sweep word  = ["please", "thanks"]
model k = apply(who, add(which, layers = where))
metric x = contains_rate(generate(k, words), words = [word])
"""
    found = axes(text, "x")
    assert ("which", ("v", "u")) in found
    assert ("word", ("please", "thanks")) in found
    assert dict(found)["who"] == ("m", "apply(m, add(v))")
    assert len(accepted(body(text)).tables["x"].cells) == 16


def test_a_point_is_selected_by_its_value_however_it_is_written() -> None:
    for point in ("0.1", "1e-1", "here", "half / 5", "given"):
        text = f"let here = 0.1\nlet half = 0.5\nparam given = number(default = 0.1)\nmetric y = x[m][s = {point}]"
        assert key(body(SWEPT + text), "y") == accepted(body(SWEPT)).graph.roots["x[m, s = 0.1]"].key


def test_an_integer_finds_the_same_number() -> None:
    assert key(body(SWEPT + "metric y = x[k][s = 0]"), "y") == key(body(SWEPT), "x[k, s = 0.0]")


def test_true_is_no_number() -> None:
    result = body(
        "sweep s = [0, 1]\nmetric x = perplexity(words, by = apply(m, add(v, scale = s)))\nmetric y = x[s = true]"
    )
    assert said(result)[:2] == ("SL441", "true")


def test_selecting_a_point_removes_its_axis() -> None:
    assert axes(SWEPT + "metric y = x[k]", "y") == [("s", (0.0, 0.1, 0.2))]
    assert axes(SWEPT + "metric y = x[s = 0.1]", "y") == [("model", ("m", "k"))]
    assert axes(SWEPT + "metric y = x[k, s = 0.1]", "y") == []


def test_models_of_an_import_are_selected_by_their_full_name() -> None:
    text = """steerlang 1
import lib = "lib.steer"
model k = apply(lib.m, add(lib.v))
metric x = distinct(generate([lib.m, k], lib.words))
expect more = x[k] > x[lib.m]
"""
    from .language_programs import HEAD

    result = accepted(compiled(text, {"lib.steer": HEAD}))
    assert result.tables["x"].axes[0].labels == ("lib.m", "k")
    assert not result.tables["more"].axes


def test_a_sweep_of_an_imported_file_is_an_axis_here() -> None:
    from .language_programs import HEAD

    lib = HEAD + "sweep s = [1, 2]\nvector w = s * v\n"
    text = 'steerlang 1\nimport lib = "lib.steer"\nvector u = unit(lib.w)\nvector z = u[s = 2]\n'
    result = accepted(compiled(text, {"lib.steer": lib}))
    assert [(a.name, a.labels) for a in result.tables["u"].axes] == [("s", (1, 2))]
    assert result.graph.roots["z"].key == result.graph.roots["u[s = 2]"].key


def test_two_sweeps_of_one_name_and_other_points_do_not_mix() -> None:
    from .language_programs import HEAD

    lib = HEAD + "sweep s = [1, 2]\nvector w = s * v\n"
    text = 'steerlang 1\nimport lib = "lib.steer"\nsweep s = [3, 4]\nvector u = s * lib.w\n'
    assert said(compiled(text, {"lib.steer": lib}))[0] == "SL314"


def test_two_lists_of_models_do_not_mix() -> None:
    text = "model k = apply(m, add(v))\nmodel l = apply(m, add(v, scale = 2))\n"
    two = "metric x = distinct(generate([m, k], words))\nmetric y = distinct(generate([m, l], words))\n"
    assert said(body(text + two + "metric z = x - y"))[0] == "SL314"
    accepted(body(text + two + "metric z = x[k] - y[l]"))


def test_argmax_takes_its_axis_away_and_leaves_the_others() -> None:
    assert axes(SWEPT + "let best = argmax(x, over = s)", "best") == [("model", ("m", "k"))]
    assert axes(SWEPT + "let best = argmax(x[k], over = s)", "best") == []


def test_a_found_point_selects_metrics_and_samples_while_running() -> None:
    result = body(SWEPT + "let best = argmax(x[k], over = s, where = x[k] <= 0.9 and true)\nmetric y = x[k][s = best]")
    picked = accepted(result).graph.roots["y"]
    assert picked.operation == "pick"
    assert [n.operation for n in picked.inputs] == ["choose", *["metric.distinct"] * 3]
    assert axes(SWEPT + "let best = argmax(x, over = s)\nmetric y = x[s = best]", "y") == [("model", ("m", "k"))]


def test_an_expectation_holds_at_every_remaining_point() -> None:
    result = accepted(body(SWEPT + "expect e = x[k] >= x[m]"))
    assert [c.labels for c in result.tables["e"].cells] == [(0.0,), (0.1,), (0.2,)]


def test_bounds_hold_at_every_point() -> None:
    code, text, message = said(body("sweep n = [8, 4, 0]\nsamples out = generate(m, words, max_new_tokens = n)"))
    assert (code, text) == ("SL401", "n")
    assert message.startswith("`0` is out of bounds")
