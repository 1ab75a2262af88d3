"""Classes, templates of them, images by their first bytes, and rows drawn by class."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steerlang.data import sample_by
from steerlang.data.classes import Unknown, bad_template, class_of, in_order, places_in, read_by, say
from steerlang.data.images import image_format, not_an_image


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        (["b", "a", "b"], ("a", "b")),
        (["10", "9", "2"], ("2", "9", "10")),
        (["10", "9", "x"], ("10", "9", "x")),
        (["01", "2", "10"], ("01", "10", "2")),  # `01` is no number here: 1 and 01 are two labels
        ([], ()),
    ],
)
def test_the_order_of_labels(labels, wanted):
    assert in_order(labels) == wanted


@pytest.mark.parametrize(
    ("labels", "classes", "by"),
    [
        (("cat",), ("dog", "cat"), "name"),
        (("0", "1"), ("dog", "cat"), "index"),
        (("1", "2"), ("1", "2", "3"), "name"),  # names come first
        (("2",), ("dog", "cat"), Unknown(("2",))),
        (("cat", "0"), ("dog", "cat"), Unknown(("0",))),
        (("-1",), ("dog", "cat"), Unknown(("-1",))),
        (("²",), ("dog", "cat"), Unknown(("²",))),
    ],
)
def test_how_labels_name_classes(labels, classes, by):
    assert read_by(labels, classes) == by
    if isinstance(by, str):
        assert {class_of(label, classes, by) for label in labels} <= set(classes)


def test_labels_of_json_are_read_as_they_are_written():
    assert class_of(1, ("dog", "cat"), "index") == "cat"
    assert class_of(True, ("true",), "name") == "true"


def test_places_among_the_labels_of_a_model():
    assert places_in(("owl", "cat"), ("cat", "dog", "owl")) == (2, 0)
    assert places_in(("2", "0"), ("cat", "dog", "owl")) == (2, 0)
    assert places_in(("bat",), ("cat",)) == Unknown(("bat",))


def test_templates_have_one_place():
    assert bad_template("a {}.") is None
    assert "no `{}`" in (bad_template("a cat") or "")
    assert "has 2 `{}`" in (bad_template("{} or {}") or "")
    assert say("cat {x}", ("a {}", "{}!")) == ("a cat {x}", "cat {x}!")


@pytest.mark.parametrize(
    ("head", "format"),
    [
        (b"\x89PNG\r\n\x1a\n\0", "PNG"),
        (b"\xff\xd8\xff\xe0", "JPEG"),
        (b"GIF89a", "GIF"),
        (b"BM\0\0", "BMP"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "WEBP"),
        (b"RIFF\0\0\0\0WAVEfmt ", None),
        (b"MM\0*", "TIFF"),
        (b"<html>", None),
        (b"", None),
    ],
)
def test_formats_by_their_first_bytes(head, format):
    assert image_format(head) == format


def test_files_that_are_no_images(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"")
    assert not_an_image(path) == "is empty"
    path.write_text("version https://git-lfs.github.com/spec/v1\n")
    assert "git lfs pull" in (not_an_image(path) or "")
    path.write_bytes(b"\xff\xd8\xff\xe0rest")
    assert not_an_image(path) is None


ROWS = st.lists(st.fixed_dictionaries({"label": st.sampled_from("abc"), "text": st.text(max_size=3)}), max_size=30)


def label(row):
    return str(row["label"])


@given(ROWS, st.integers(1, 6), st.integers(0, 3))
def test_drawing_by_class(rows, k, seed):
    chosen = sample_by(rows, k, seed, label)
    for name in "abc":
        own = [r for r in rows if r["label"] == name]
        drawn = [r for r in chosen if r["label"] == name]
        assert len(drawn) == min(k, len(own))
        # What is drawn of a class does not depend on the rows of the others.
        assert drawn == list(sample_by(own, k, seed, label))
    places = iter(rows)
    assert all(any(row is other for other in places) for row in chosen)  # in their own order, none twice


@given(ROWS, st.integers(1, 6), st.integers(0, 3), st.randoms(use_true_random=False))
def test_drawing_does_not_depend_on_the_order(rows, k, seed, random):
    def content(some):
        return sorted((r["label"], r["text"]) for r in some)

    shuffled = random.sample(rows, len(rows))
    assert content(sample_by(rows, k, seed, label)) == content(sample_by(shuffled, k, seed, label))
    assert set(content(sample_by(rows, k, seed, label))) <= set(content(sample_by(rows, k + 1, seed, label)))
