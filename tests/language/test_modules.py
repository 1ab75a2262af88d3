"""Imports and parameters: names across files, circles, files read twice, values from outside."""

from __future__ import annotations

import pytest

from .language_programs import HEAD, accepted, body, compiled, found, key, only, said

LIB = HEAD + 'param strength = number(default = 2, min = 0, max = 5, help = "how much")\nvector w = strength * v\n'


def test_names_of_an_import_are_used_with_a_dot() -> None:
    result = compiled('steerlang 1\nimport lib = "lib.steer"\nvector u = lib.w\n', {"lib.steer": LIB})
    assert key(result, "u") == result.graph.roots["lib.w"].key


def test_imports_nest_and_paths_start_at_the_importing_file() -> None:
    files = {"a/b.steer": 'steerlang 1\nimport c = "c/d.steer"\nvector w = 2 * c.w\n', "a/c/d.steer": LIB}
    result = accepted(compiled('steerlang 1\nimport b = "a/b.steer"\nvector u = b.w\n', files))
    assert {"b.w", "b.c.w", "b.c.v", "u"} <= set(result.graph.roots)
    assert [s.name for s in result.sources] == ["main.steer", "a/b.steer", "a/c/d.steer"]


def test_names_of_two_files_do_not_clash() -> None:
    result = compiled('steerlang 1\nimport lib = "lib.steer"\nmodel m = lib.m\nvector w = lib.w\n', {"lib.steer": LIB})
    assert set(accepted(result).graph.roots) >= {"m", "w", "lib.m", "lib.w"}


def test_a_file_imported_twice_is_read_once_and_reports_once() -> None:
    files = {"lib.steer": LIB + "vector z = nothing_like_it\n"}
    result = compiled('steerlang 1\nimport a = "lib.steer"\nimport b = "lib.steer"\nvector u = a.w + b.w\n', files)
    assert only(result).code.id == "SL201"
    assert len(result.sources) == 2


def test_two_imports_of_one_file_are_the_same_values_with_their_own_parameters() -> None:
    text = 'steerlang 1\nimport a = "lib.steer"\nimport b = "lib.steer"\nvector x = a.w\nvector y = b.w\n'
    same = accepted(compiled(text, {"lib.steer": LIB}))
    assert same.graph.roots["x"].key == same.graph.roots["y"].key
    apart = accepted(compiled(text, {"lib.steer": LIB}, {"a.strength": 3}))
    assert apart.graph.roots["x"].key != apart.graph.roots["y"].key == same.graph.roots["y"].key


def test_many_imports_of_one_file_do_not_take_for_ever() -> None:
    files = {"f0.steer": LIB}
    for i in range(1, 8):
        files[f"f{i}.steer"] = (
            f'steerlang 1\nimport a = "f{i - 1}.steer"\nimport b = "f{i - 1}.steer"\nvector w = a.w\n'
        )
    assert len(compiled('steerlang 1\nimport a = "f7.steer"\nvector w = a.w\n', files).sources) == 9


def test_a_circle_of_files_is_reported_once_with_its_way() -> None:
    files = {
        "a.steer": 'steerlang 1\nimport b = "b.steer"\nvector w = b.w\n',
        "b.steer": 'steerlang 1\nimport a = "a.steer"\nvector w = a.w\n',
    }
    code, text, message = said(compiled('steerlang 1\nimport a = "a.steer"\nvector w = a.w\n', files))
    assert (code, text) == ("SL601", '"a.steer"')
    assert message.endswith("a.steer → b.steer → a.steer")


def test_a_file_that_imports_itself() -> None:
    assert said(compiled('steerlang 1\nimport me = "main.steer"\nvector w = me.w\n'))[0] == "SL601"


def test_a_missing_file_is_reported_where_it_is_named_and_nothing_follows() -> None:
    result = compiled('steerlang 1\nimport lib = "lib.steer"\nvector w = 2 * lib.w\nvector u = unit(w)\n')
    assert said(result)[:2] == ("SL501", '"lib.steer"')


@pytest.mark.parametrize(
    "effect",
    ["expect e = true", 'export e = vector_file(v, to = "v.safetensors")', 'report e = html(to = "r.html")'],
)
def test_effects_of_an_import_are_errors(effect: str) -> None:
    result = compiled('steerlang 1\nimport lib = "lib.steer"\nvector w = lib.w\n', {"lib.steer": LIB + effect + "\n"})
    assert said(result)[:2] == ("SL602", effect.split()[0])


def test_mistakes_of_an_import_are_shown_in_it() -> None:
    files = {"lib.steer": HEAD + "vector w = 2 * m\n"}
    diagnostic = only(compiled('steerlang 1\nimport lib = "lib.steer"\nvector u = 3 * lib.w\n', files))
    assert diagnostic.primary is not None
    assert diagnostic.primary.span.source.name == "lib.steer"


def test_an_import_is_no_value() -> None:
    result = compiled('steerlang 1\nimport lib = "lib.steer"\nvector u = lib\n', {"lib.steer": LIB})
    assert said(result)[0] == "SL312"


def test_an_unused_import_is_warned_of_and_a_used_one_is_not() -> None:
    end = '\nexport f = vector_file(v, to = "v.safetensors")'
    unused = body('import lib = "lib.steer"' + end, files={"lib.steer": LIB})
    assert [d.message for d in unused.diagnostics if "lib" in d.message] == ["`lib` is used by nothing that runs"]
    used = compiled(
        'steerlang 1\nimport lib = "lib.steer"\nexport f = vector_file(lib.w, to = "v.safetensors")\n',
        {"lib.steer": LIB},
    )
    assert used.diagnostics == ()


# ---- parameters ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["3", "3.0", 3, 3.0, " 3 "])
def test_values_come_as_text_or_as_they_are(given: object) -> None:
    assert key(body("param p = number(default = 1)\nvector w = p * v", overrides={"p": given}), "w") == key(
        body("vector w = 3 * v"), "w"
    )


@pytest.mark.parametrize(("given", "holds"), [("true", True), ("False", False), (True, True), (False, False)])
def test_flags(given: object, holds: bool) -> None:
    result = accepted(body("param p = flag(default = false)\nexpect e = p", overrides={"p": given}))
    assert result.tables["e"].cells[0].value is holds


@pytest.mark.parametrize("given", ["nan", "inf", "-1", "x", "", True, None, [1], "1e400"])
def test_values_that_do_not_fit(given: object) -> None:
    result = body("param p = number(default = 1, min = 0)\nvector w = p * v", overrides={"p": given})
    assert found(result) == ["SL613"]
    assert only(result).place == f"--set p={given}"


def test_a_parameter_without_default_must_be_given() -> None:
    text = "param p = number(max = 3)\nvector w = p * v"
    assert said(body(text))[:2] == ("SL611", "p")
    accepted(body(text, overrides={"p": "2"}))


def test_bounds_of_what_takes_the_parameter_hold_too() -> None:
    result = body(
        "param n = number(default = 8)\nsamples x = generate(m, words, max_new_tokens = n)", overrides={"n": "0"}
    )
    assert said(result)[:2] == ("SL401", "n")


def test_parameters_of_imports_are_set_by_their_full_name() -> None:
    text = 'steerlang 1\nimport lib = "lib.steer"\nvector u = lib.w\n'
    result = compiled(text, {"lib.steer": LIB}, {"lib.strength": "3"})
    assert key(result, "u") == key(body("vector u = 3 * v"), "u")
    assert found(compiled(text, {"lib.steer": LIB}, {"strength": "3"})) == ["SL612"]
    assert found(compiled(text, {"lib.steer": LIB}, {"lib.strength": "9"})) == ["SL613"]


def test_a_definition_that_is_no_parameter_cannot_be_set() -> None:
    assert found(body("let p = 3\nvector w = p * v", overrides={"p": "2"})) == ["SL612"]


@pytest.mark.parametrize(
    "value",
    ["0.1", "v", '"a"', "numbr(default = 1)", "unit(v)", "number(default = 1) + 1", "[1]", "m.number(default = 1)"],
)
def test_a_parameter_is_declared_and_nothing_else(value: str) -> None:
    assert said(body(f"param p = {value}"))[0] == "SL312"


def test_a_declaration_holds_plain_values() -> None:
    assert said(body("let low = 1\nparam p = number(default = 2, min = low)"))[:2] == ("SL302", "low")
    assert said(body('let a = "a"\nparam p = text(options = ["b", a])'))[0] == "SL302"
