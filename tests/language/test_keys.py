"""What a node's key covers: the meaning of a program, and nothing of how it is written."""

from __future__ import annotations

import itertools
import random

import pytest

from .language_programs import HEAD, accepted, body, compiled, key

PROGRAM = """steerlang 1
model  m     = hf("m")
data   pairs = jsonl("pairs.jsonl", source = "rude", target = "polite")
vector v     = extract(m, pairs)
sweep  s     = [0.0, 0.1]
model  kind  = apply(m, add(v, scale = s))
samples out  = generate([m, kind], ["hello", "good day"])
metric varied = distinct(out)
let    best  = argmax(varied, over = s)
expect e     = varied[kind][s = best] >= 0.1
"""


def keys(text: str) -> list[str]:
    """Keys of all nodes a program has a name for, without the names."""
    return sorted(n.key for n in accepted(compiled(text)).graph.roots.values())


def test_order_comments_and_white_space_do_not_count() -> None:
    head, *lines = PROGRAM.strip().splitlines()
    random.Random(3).shuffle(lines)
    rewritten = "\n\n".join([head, *("# a remark\n" + " ".join(x.split()) + "  # another" for x in lines)])
    assert keys(rewritten) == keys(PROGRAM)


@pytest.mark.parametrize("name", ["m", "pairs", "v", "s", "kind", "out", "varied", "best", "e"])
def test_names_do_not_count(name: str) -> None:
    import re

    assert keys(re.sub(rf"(?<![\w\"]){name}\b(?! *= *\")(?!\.)", f"renamed_{name}", PROGRAM)) == keys(PROGRAM)


@pytest.mark.parametrize(
    ("short", "long"),
    [
        (
            "extract(m, pairs)",
            "extract(m, pairs, method = mean_difference, layers = all, site = residual, tokens = last)",
        ),
        ("extract(m, pairs)", "extract(model = m, data = pairs, seed = 0)"),
        ("extract(m, pairs, method = icv)", "extract(m, pairs, method = icv(variant = code, rank = 1))"),
        ("extract(m, pairs, method = pca)", "extract(m, pairs, method = pca(center = none))"),
        ("extract(m, pairs, layers = all)", "extract(m, pairs, layers = 0..last)"),
        ("extract(m, pairs, layers = 3..<9)", "extract(m, pairs, layers = 25%..75%)"),
        ("extract(m, pairs, layers = [9, 4])", "extract(m, pairs, layers = [4, last - 2])"),
        ("random_like(v)", "random_like(v, seed = 0)"),
        ("mix([v, unit(v)])", "mix([v, unit(v)], weights = [1, 1.0])"),
        ("2 * v", "v * 2.0"),
        ("v / 2", "0.5 * v"),
        ("v - v / 4", "0.75 * v"),
        ("-v", "-1 * v"),
        ("v + unit(v)", "unit(v) + v"),
        ("(v + unit(v)) + random_like(v)", "v + (random_like(v) + unit(v))"),
        ("2 * (v - unit(v))", "2 * v - 2 * unit(v)"),
        ("v[3..5]", "restrict(v, layers = [3, 4, 5])"),
    ],
)
def test_vectors_that_mean_the_same_are_one(short: str, long: str) -> None:
    assert key(body(f"vector w = {short}"), "w") == key(body(f"vector w = {long}"), "w")


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("add(v)", "add(v, scale = 1.0, unit = raw, norm = free, layers = all, site = residual, tokens = all)"),
        ("add(v)", "add([v], scale = [1])"),
        ("add(v, layers = 4)", "add(v, layers = 4..4, across = false)"),
        ("rotate(v)", "rotate(v, scale = 0.1, gain = anti_alignment, site = mlp)"),
    ],
)
def test_actions_that_mean_the_same_are_one(short: str, long: str) -> None:
    assert key(body(f"model k = apply(m, {short})"), "k") == key(
        body(f"steering a = {long}\nmodel k = apply(m, a)"), "k"
    )


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("generate(m, words)", "generate(m, words, max_new_tokens = 32, method = greedy, seed = 7)"),
        (
            "generate(m, words, method = sample)",
            "generate(m, words, method = sample(temperature = 1, top_p = 1), seed = 0)",
        ),
        ("generate(m, words, max_new_tokens = 8)", "generate(m, words, max_new_tokens = 8.0)"),
        ('generate(m, ["a"])', 'generate(m, texts(["a"], strip = none))'),
    ],
)
def test_samples_that_mean_the_same_are_one(short: str, long: str) -> None:
    assert key(body(f"samples x = {short}"), "x") == key(body(f"samples x = {long}"), "x")


def test_measured_numbers_do_not_tell_whole_numbers_from_others() -> None:
    text = "metric x = perplexity(words, by = m)\nmetric y = x * {}"
    assert key(body(text.format("2")), "y") == key(body(text.format("2.0")), "y")


def test_an_import_is_as_good_as_the_text_itself() -> None:
    inline = body("vector w = 2 * v")
    imported = compiled('steerlang 1\nimport lib = "lib.steer"\nvector w = 2 * lib.v\n', {"lib.steer": HEAD})
    assert key(inline, "w") == key(imported, "w")


def test_a_parameter_is_as_good_as_its_value() -> None:
    text = "param p = number(default = 3)\nvector w = p * v"
    assert key(body(text), "w") == key(body("vector w = 3 * v"), "w")
    assert key(body(text, overrides={"p": "0.5"}), "w") == key(body("vector w = 0.5 * v"), "w")


def test_a_point_of_a_sweep_is_as_good_as_its_value() -> None:
    swept = body("sweep s = [1, 2]\nvector w = s * v")
    assert key(swept, "w[s = 2]") == key(body("vector w = 2 * v"), "w")


DIFFERENT = {
    "vector": [
        "extract(m, pairs)",
        "extract(m, pairs, method = icv)",
        "extract(m, pairs, method = icv(rank = 2))",
        "extract(m, pairs, method = icv(variant = paper))",
        "extract(m, pairs, method = pca)",
        "extract(m, pairs, layers = 3)",
        "extract(m, pairs, layers = 3..4)",
        "extract(m, pairs, site = mlp)",
        'extract(m, pairs, site = module("model.layers.{l}.mlp.act_fn"))',
        "extract(m, pairs, tokens = first)",
        "extract(m, pairs, tokens = from_end(1))",
        "extract(m, pairs, tokens = from_end(2))",
        'extract(m, pairs, tokens = at("kind"))',
        'extract(m, pairs, tokens = before("kind"))',
        "extract(m, pairs, seed = 1)",
        "extract(apply(m, add(v)), pairs)",
        'extract(hf("m", dtype = bfloat16), pairs)',
        'extract(hf("other"), pairs)',
        'extract(m, jsonl("pairs.jsonl", source = "polite", target = "rude"))',
        'extract(m, jsonl("pairs.jsonl", source = "rude", target = "polite", limit = 5))',
        'extract(m, jsonl("pairs.jsonl", source = "rude", target = "polite", strip = punctuation))',
        'extract(m, jsonl("pairs.jsonl", source = "rude", target = "polite", chat = true))',
        'extract(m, jsonl("pairs.jsonl", source = "rude", target = "polite", template = "say {text}"))',
        'extract(m, jsonl("pairs.jsonl", source = "rude", target = "polite", where = equals("kind", "a")))',
        'extract(m, jsonl("pairs.jsonl", source = "rude", target = "polite", where = contains("kind", "a")))',
        'extract(m, pairs([["a", "b"]]))',
        'extract(m, pairs([["b", "a"]]))',
        "extract(m, sample(pairs, k = 3))",
        "extract(m, sample(pairs, k = 4))",
        "extract(m, sample(pairs, k = 3, seed = 1))",
        "extract(m, split(pairs, fraction = 0.5, part = first))",
        "extract(m, split(pairs, fraction = 0.5, part = second))",
        "2 * v",
        "-2 * v",
        "v + unit(v)",
        "v - unit(v)",
        "unit(v)",
        "orthogonalize(v, to = unit(v))",
        "orthogonalize(unit(v), to = v)",
        "mix([v, unit(v)])",
        "mix([v, unit(v)], weights = [1, 2])",
        "random_like(v)",
        "random_like(v, seed = 1)",
        "v[3]",
        "v[3..4]",
    ],
    "model": [
        "apply(m, add(v))",
        "apply(m, add(2 * v))",
        "apply(m, add(v, scale = 2))",
        "apply(m, add(v, scale = -1))",
        "apply(m, add(v, unit = unit))",
        "apply(m, add(v, unit = residual))",
        "apply(m, add(v, norm = keep))",
        "apply(m, add(v, norm = cap))",
        "apply(m, add(v, layers = 3))",
        "apply(m, add(v, site = attention, across = true))",
        "apply(m, add(v, tokens = generated))",
        "apply(m, add(v, tokens = prompt))",
        "apply(m, add(v, tokens = from_token(3)))",
        'apply(m, add(v, tokens = at("kind")))',
        "apply(m, add(v), add(v))",
        "apply(m, add(v), add(unit(v)))",
        "apply(m, add(unit(v)), add(v))",
        "apply(m, rotate(v))",
        "apply(m, rotate(v, scale = 0.2))",
        "apply(m, rotate(v, gain = none))",
        "apply(m, ablate(v))",
        "apply(m, ablate([v, unit(v)]))",
        "apply(m, clamp(v, to = 1))",
        "apply(m, clamp(v, to = 2))",
        "apply(m, replace(v))",
    ],
    "samples": [
        "generate(m, words)",
        "generate(m, words, max_new_tokens = 8)",
        "generate(m, words, method = sample)",
        "generate(m, words, method = sample, seed = 1)",
        "generate(m, words, method = sample(temperature = 0.5))",
        "generate(m, words, method = sample(top_p = 0.5))",
        "generate(m, words, method = sample(top_k = 5))",
        "generate(apply(m, add(v)), words)",
        'generate(m, ["please"])',
    ],
    "metric": [
        "word_share(generate(m, words), words = words)",
        'word_share(generate(m, words), words = ["a"])',
        "contains_rate(generate(m, words), words = words)",
        "contains_rate(generate(m, words), words = words, match = all)",
        "distinct(generate(m, words))",
        "distinct(generate(m, words), n = 3)",
        "perplexity(words, by = m)",
        "perplexity(generate(m, words), by = m)",
        "perplexity(words, by = apply(m, add(v)))",
        "kl_from(apply(m, add(v)), words, base = m)",
        "kl_from(apply(m, add(v)), words, base = m, positions = last)",
        'logit_difference(m, words, target = "a", source = "b")',
        'logit_difference(m, words, target = "b", source = "a")',
        "perplexity(words, by = m) + 1",
        "perplexity(words, by = m) - 1",
        "1 - perplexity(words, by = m)",
        "-perplexity(words, by = m)",
    ],
}


@pytest.mark.parametrize("kind", sorted(DIFFERENT))
def test_whatever_changes_the_meaning_changes_the_key(kind: str) -> None:
    text = "\n".join(f"{kind} x{i} = {e}" for i, e in enumerate(DIFFERENT[kind]))
    roots = accepted(body(text)).graph.roots
    found = [(e, roots[f"x{i}"].key) for i, e in enumerate(DIFFERENT[kind])]
    assert [(a, b) for (a, one), (b, two) in itertools.combinations(found, 2) if one == two] == []


def test_a_changed_file_changes_the_keys_of_what_reads_it() -> None:
    from steerlang.graph.facts import FakeFacts, fake_model

    from .language_programs import PAIRS, WORDS

    changed = FakeFacts({"m": fake_model("m", layers=12)}, {"pairs.jsonl": PAIRS[::-1], "words.txt": WORDS})
    before, after = body("samples x = generate(m, words)"), body("samples x = generate(m, words)", facts=changed)
    assert key(before, "v") != key(after, "v")
    assert key(before, "x") == key(after, "x")


def test_names_of_points_do_not_count() -> None:
    text = "model {0} = apply(m, add(v))\nsweep who = [m, {0}]\n"
    text += "metric x = perplexity(words, by = who)\nlet best = argmin(x, over = who)"
    assert key(body(text.format("kind")), "best") == key(body(text.format("other")), "best")
