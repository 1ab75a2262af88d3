"""`learn` and `search` as they are written: what they mean, what their keys cover, what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from language.language_programs import FACTS, TALKS, Compiled, accepted, compiled, found, only, said

from steerlang.graph.facts import FakeFacts, fake_model
from steerlang.graph.node import Node

WORLD = FakeFacts(
    models={
        "base": fake_model("base", tokenizer=TALKS),
        **{id: fake_model(id, tokenizer=TALKS, seed=seed) for seed, id in enumerate(("a", "b", "other"), start=1)},
    },
    data={**FACTS._data, "held.txt": [{"text": "as it were"}, {"text": "so to speak"}]},
)
HEAD = """steerlang 1
model base = hf("base")
model a    = hf("a")
model b    = hf("b")
data  few  = lines("words.txt")
data  held = lines("held.txt")
taskvector t = a - base
taskvector u = b - base
"""
LEARN = "coefficients c = learn([t, u], on = base, data = few, objective = language_model, steps = 5"


def body(text: str) -> Compiled:
    return compiled(HEAD + text, facts=WORLD)


def node(text: str, label: str = "c") -> Node:
    return accepted(body(text)).graph.roots[label]


def options(text: str) -> Any:
    return node(text).options


# ---- what is meant -------------------------------------------------------------------------------------------------


def test_learning_reads_the_models_and_the_data() -> None:
    learned = node(f"{LEARN})")
    assert learned.operation == "learn"
    assert not learned.virtual
    assert [n.operation for n in learned.inputs] == ["model.load"] * 3 + ["data.rows"]
    given: Any = learned.options
    assert given["on"] == 0
    assert given["data"] == [{"rows": 3, "head": None, "classes": None}]
    assert given["blocks"] == {"is": "Blocks", "by": "tensor"}
    assert given["weight_decay"] == 0.1
    assert given["clip"] == 1.0


def test_the_names_of_task_vectors_are_no_part_of_the_key() -> None:
    renamed = HEAD.replace("taskvector t", "taskvector tt") + LEARN.replace("[t, u]", "[tt, u]") + ")"
    assert node(f"{LEARN})").key == accepted(compiled(renamed, facts=WORLD)).graph.roots["c"].key
    assert node(f"{LEARN})").locators["vectors"] == "t\nu"


@pytest.mark.parametrize(
    "more",
    [
        "lr = 0.2", "schedule = constant", "warmup = 3", "weight_decay = 0", "clip = none", "batch_size = 4",
        "grad_accumulation = 2", "penalty = l1", "penalty = l2(gamma = 0.1)", "pool = random(keep = 1)", "seed = 1",
        "linearize = true", "blocks = by_layer()", "select = best(on = held, by = loss)",
    ],
)  # fmt: skip
def test_every_option_is_part_of_the_key(more: str) -> None:
    assert node(f"{LEARN}, {more})").key != node(f"{LEARN})").key


def test_an_option_at_its_default_is_not() -> None:
    assert node(f"{LEARN}, lr = 0.1, blocks = by_tensor())").key == node(f"{LEARN})").key


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("by_layer()", {"is": "Blocks", "by": "layer"}),
        ("one_block()", {"is": "Blocks", "by": "all"}),
        ("random_parts(10, seed = 3)", {"is": "Blocks", "by": "tensor", "random": 10, "seed": 3}),
        (
            'by_tensor(tie = glob("**.{q,k,v}_proj.weight"), split = set(glob("**.up_proj.weight"), 4))',
            {
                "is": "Blocks", "by": "tensor",
                "tie": [{"is": "Pattern", "kind": "glob", "text": "**.{q,k,v}_proj.weight"}],
                "split": [[{"is": "Pattern", "kind": "glob", "text": "**.up_proj.weight"}, 4]],
            },
        ),
        (
            'by_module(exclude = [glob("**.norm.**")])',
            {"is": "Blocks", "by": "module", "exclude": [{"is": "Pattern", "kind": "glob", "text": "**.norm.**"}]},
        ),
    ],
)  # fmt: skip
def test_blocks(text: str, term: Any) -> None:
    assert options(f"{LEARN}, blocks = {text})")["blocks"] == term


def test_blocks_may_have_a_name() -> None:
    named = node(f"let parts = by_layer()\n{LEARN}, blocks = parts)")
    assert named.key == node(f"{LEARN}, blocks = by_layer())").key


def test_an_edit_takes_what_is_learned() -> None:
    result = accepted(body(f"{LEARN})\nmodel x = base + compose([t, u], coefficients = c)"))
    learned, edited = result.graph.roots["c"], result.graph.roots["x"]
    assert learned in edited.inputs
    expression: Any = edited.options["expression"]
    assert expression["change"]["coefficients"] == [
        {"is": "Learned", "of": learned.key, "vector": 0},
        {"is": "Learned", "of": learned.key, "vector": 1},
    ]


def test_coefficients_of_one_vector_multiply_it() -> None:
    one = LEARN.replace("[t, u]", "t")
    result = accepted(body(f"{one})\nmodel x = base + c * t"))
    assert result.graph.roots["c"] in result.graph.roots["x"].inputs


def test_search_has_a_grid() -> None:
    text = "coefficients c = search([t, u], on = base, data = few, objective = language_model"
    assert options(f"{text})")["grid"][:3] == [0.0, 0.05, 0.1]
    assert options(f"{text}, grid = [0.5, 1])")["grid"] == [0.5, 1.0]
    assert node(f"{text})").operation == "search"


def coefficients_file(**changed: Any) -> Any:
    return {
        "steerlang": "coefficients", "version": 1, "partition": {"is": "Blocks", "by": "all"},
        "coefficients": {"t": {"all": 0.5}, "u": {"all": 0.25}}, **changed,
    }  # fmt: skip


def of_file(use: str, document: Any) -> Compiled:
    facts = FakeFacts(models=WORLD._models, data=WORLD._data, documents={"c.json": document})
    return compiled(f'{HEAD}coefficients c = load_coefficients("c.json")\nmodel x = {use}\n', facts=facts)


# ---- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code", "mark"),
    [
        (LEARN.replace(", steps = 5", ")"), "SL304", None),
        (f"{LEARN}, epochs = 2)", "SL304", "2"),
        (f"{LEARN}, lr = 0)", "SL401", "0"),
        (f"{LEARN}, weight_decay = -1)", "SL401", "-1"),
        (f"{LEARN}, steps_ = 3)", "SL303", None),
        (LEARN.replace("language_model", "supervised") + ")", "SL302", "supervised"),
        (LEARN.replace("language_model", "supervized") + ")", "SL308", "supervized"),
        (LEARN.replace("[t, u]", "[]") + ")", "SL402", "[]"),
        (LEARN.replace("on = base", "on = a") + ")", "SL313", "t"),
        (LEARN.replace("learn(", "search(").replace("steps = 5", "grid = [])"), "SL402", "[]"),
        (LEARN.replace("on = base", "on = base + t") + ")", "SL302", "base + t"),
        (f"{LEARN}, select = best(on = held))", "SL461", "best(on = held)"),
        (f"{LEARN}, pool = random(keep = 3))", "SL401", "random(keep = 3)"),
        (f"{LEARN}, blocks = by_tensor(split = set(glob(\"**\"), 1)))", "SL401", None),
        (f"{LEARN}, blocks = random_parts(1))", "SL401", "1"),
    ],
)  # fmt: skip
def test_mistakes(text: str, code: str, mark: str | None) -> None:
    one = only(body(text))
    assert one.code.id == code
    assert one.help
    if mark is not None:
        assert one.primary is not None
        assert mark in one.primary.span.text


@pytest.mark.parametrize(
    ("use", "code"),
    [
        ("base + compose([u, t], coefficients = c)", "SL313"),
        ("base + compose([t], coefficients = c)", "SL313"),
        ("base + compose([t, u], coefficients = c, method = ties)", "SL302"),
        ("base + compose([t, u], coefficients = [c, 0.5])", "SL302"),
        ("base + c * t", "SL313"),
        ("slerp(base, a, t = c)", "SL302"),
    ],
)
def test_coefficients_stay_with_their_task_vectors(use: str, code: str) -> None:
    assert found(body(f"{LEARN})\nmodel x = {use}")) == [code]


def test_coefficients_in_a_file_are_not_given_to_others_of_the_same_names() -> None:
    assert found(of_file("base + compose([t, u], coefficients = c)", coefficients_file())) == []
    refused = only(of_file("base + compose([u, t], coefficients = c)", coefficients_file()))
    wrong = "these coefficients are in another order: `t`, `u`, and `u`, `t` are composed"
    assert (refused.code.id, refused.message) == ("SL313", wrong)
    named = coefficients_file(coefficients={"x": {"all": 0.5}, "u": {"all": 0.25}})
    other = only(of_file("base + compose([t, u], coefficients = c)", named))
    wrong = "these coefficients were found for others: `x`, `u`, and `t`, `u` are composed"
    assert (other.code.id, other.message) == ("SL313", wrong)


GLOB = {"is": "Pattern", "kind": "glob", "text": "a"}


@pytest.mark.parametrize(
    "partition",
    [
        {"is": "ByBlock", "by": "all"},
        {"is": "Blocks", "by": "every"},
        {"is": "Blocks", "by": ["all"]},
        {"is": "Blocks", "by": "all", "more": 1},
        {"is": "Blocks", "by": "tensor", "random": "x"},
        {"is": "Blocks", "by": "tensor", "seed": -1},
        {"is": "Blocks", "by": "tensor", "include": ["a"]},
        {"is": "Blocks", "by": "tensor", "include": GLOB},
        {"is": "Blocks", "by": "tensor", "tie": [GLOB | {"kind": "words"}]},
        {"is": "Blocks", "by": "tensor", "split": [[GLOB]]},
    ],
)
def test_a_partition_that_was_edited_by_hand_is_read_with_care(partition: Any) -> None:
    refused = only(of_file("base + compose([t, u], coefficients = c)", coefficients_file(partition=partition)))
    assert (refused.code.id, "its `partition` says no blocks" in refused.message) == ("SL504", True)


def test_selecting_on_what_is_learned_from_is_warned_of() -> None:
    code, mark, _ = said(body(f"{LEARN}, select = best(on = few, by = loss))"))
    assert (code, mark) == ("SL462", "best(on = few, by = loss)")


def test_a_file_is_written_of_what_is_found() -> None:
    accepted(body(f'{LEARN})\nexport file = coefficients_file(c, to = "out/c.json")'))
    code, _, message = said(body('coefficients c = over_depth([1])\nexport f = coefficients_file(c, to = "c.json")'))
    assert (code, message) == ("SL302", "these coefficients are written in the program already")


# ---- data that is used twice ---------------------------------------------------------------------------------------

USED = f"{LEARN})\nmodel x = base + compose([t, u], coefficients = c)\nmetric m = perplexity(DATA, by = x)"


@pytest.mark.parametrize(
    ("data", "warned"),
    [
        ("few", True),
        ("sample(few, k = 2, seed = 0)", True),
        ("split(few, fraction = 0.5, part = first)", True),
        ("held", False),
    ],
)
def test_measuring_on_what_was_learned_from_is_warned_of(data: str, warned: bool) -> None:
    assert found(body(USED.replace("DATA", data))) == (["SL462"] if warned else [])


def test_two_parts_of_a_split_are_apart() -> None:
    part = "data {0} = split(few, fraction = 0.5, part = {1})\n"
    text = part.format("one", "first") + part.format("two", "second") + USED.replace("data = few", "data = one")
    assert found(body(text.replace("DATA", "two"))) == []
    assert found(body(text.replace("DATA", "one"))) == ["SL462"]


def test_other_metrics_of_the_same_data_are_not() -> None:
    assert found(body(f"{USED.replace('DATA', 'held')}\nmetric n = perplexity(few, by = base)")) == []


# ---- task vectors of the task itself -------------------------------------------------------------------------------


@pytest.mark.parametrize(("file", "warned"), [("pets.csv", False), ("pets/tuned.csv", True), ("tuned/test.csv", True)])
def test_a_task_vector_of_the_task_itself_is_warned_of(file: str, warned: bool) -> None:
    world = FakeFacts(models=FACTS._models, data={**FACTS._data, file: FACTS._data["pets.csv"]})
    text = f"""steerlang 1
model pets  = hf("pets")
model tuned = hf("pets-tuned")
data few = images("{file}", classes = ["cat", "dog"])
taskvector tau = tuned - pets
coefficients c = learn(tau, on = pets, data = few, objective = self_training, epochs = 2)
export file = coefficients_file(c, to = "c.json")
"""
    assert found(compiled(text, facts=world)) == (["SL463"] if warned else [])


def test_heads_in_a_list_are_one_for_each_data_set() -> None:
    text = LEARN.replace("data = few", "data = [few, held]")
    one = only(body(f"{text}, heads = [base])"))
    assert (one.code.id, one.message) == ("SL302", "1 head for 2 data sets")
