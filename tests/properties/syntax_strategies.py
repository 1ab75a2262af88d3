"""Generated programs: trees, and texts with comments and odd layout made from them."""

from __future__ import annotations

from hypothesis import strategies as st

from steerlang.source import Source, Span
from steerlang.syntax import tree
from steerlang.syntax.expressions import expression_text
from steerlang.syntax.lexing import tokenize

NOWHERE = Span(Source("generated", ""), 0, 0)
RESERVED = {"and", "or", "not", "true", "false", "none"}
UNITS = ["%", "KiB", "MiB", "GiB", "TiB", "KB", "MB", "GB", "ms", "s", "min", "h"]

identifiers = st.one_of(
    st.sampled_from(["a", "b", "base", "polite", "layers", "steerlang", "r", "s", "_x1"]),
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,30}", fullmatch=True),
).filter(lambda word: word not in RESERVED)
names = identifiers.map(lambda word: tree.Name(word, NOWHERE))
characters = st.characters(exclude_categories=("Cs",))
strings = st.one_of(
    st.builds(tree.String, st.text(characters, max_size=40), st.just("plain"), st.just(NOWHERE)),
    st.builds(tree.String, st.text(characters, max_size=20).filter(lambda t: not set(t) & set('"\r\n')),
              st.just("raw"), st.just(NOWHERE)),
)
numbers = st.one_of(
    st.builds(tree.Integer, st.integers(0, 10**12), st.just(NOWHERE)),
    st.builds(tree.Float, st.floats(0, allow_infinity=False, allow_nan=False), st.just(NOWHERE)),
    st.builds(tree.Quantity, st.integers(0, 10**6).map(float) | st.floats(0.001, 1000), st.sampled_from(UNITS),
              st.just(NOWHERE)),
)
atoms = st.one_of(
    names, names, numbers, strings, st.booleans().map(lambda value: tree.Boolean(value, NOWHERE)),
    st.just(tree.Nothing(NOWHERE)),
)


def _arguments(inner: st.SearchStrategy[tree.Expr], least: int = 0) -> st.SearchStrategy[tuple[tree.Argument, ...]]:
    argument = st.builds(tree.Argument, st.none() | names, inner, st.just(NOWHERE))
    return st.lists(argument, min_size=least, max_size=5).map(tuple)


def _entries(inner: st.SearchStrategy[tree.Expr]) -> st.SearchStrategy[tuple[tree.Argument, ...]]:
    return st.lists(st.builds(tree.Argument, names, inner, st.just(NOWHERE)), max_size=4).map(tuple)


def _larger(inner: st.SearchStrategy[tree.Expr]) -> st.SearchStrategy[tree.Expr]:
    span = st.just(NOWHERE)
    operators = st.sampled_from(["+", "-", "*", "/", "==", "!=", "<=", ">=", "<", ">", "and", "or"])
    return st.one_of(
        st.builds(tree.Call, names | inner, _arguments(inner), span),
        st.builds(tree.Index, inner, _arguments(inner, 1), span),
        st.builds(tree.Member, inner, names, span),
        st.builds(tree.Unary, st.sampled_from(["-", "not"]), inner, span),
        st.builds(tree.Binary, operators, inner, inner, span, span),
        st.builds(tree.Range, inner, inner, st.booleans(), span),
        st.builds(tree.ListOf, st.lists(inner, max_size=6).map(tuple), span),
        st.builds(tree.Record, _entries(inner), span),
    )


expressions: st.SearchStrategy[tree.Expr] = st.recursive(atoms, _larger, max_leaves=20)
definitions = st.builds(tree.Definition, names, names, expressions, st.just(NOWHERE))

#: Texts of several lines, with escapes, quotes and uneven indentation.
blocks = [
    '"""one line"""', '"""\n  two\n    lines\n  """', '"""first\n\tsecond\n\n   """',
    '"""\n\\"""quoted\\"""  \r\n  x"""',
]

#: What can stand between two tokens: spaces, line breaks, comments.
gaps = st.sampled_from([
    " ", " ", " ", "  ", "\t", "\n", "\n\n\n", "\n  ", " # beside\n", "\n# above\n", "\n\n  # apart\n\n", "#\n", "\r\n",
])


@st.composite
def program_texts(draw: st.DrawFn) -> str:
    """A program in an arbitrary layout, with comments wherever a space can stand."""
    items = draw(st.lists(definitions, max_size=5))
    plain = "steerlang 1\n" + "\n".join(
        f"{item.kind.id} {item.name.id} = {expression_text(item.value)}" for item in items
    )
    pieces: list[str] = ["steerlang 1"]
    for token in tokenize(Source("plain", plain))[3:]:
        if token.type == "WS":
            pieces.append(draw(gaps))
        elif token.type == "STRING":
            pieces.append(draw(st.sampled_from([token.text, token.text, *blocks])))
        elif token.type in ("INT", "FLOAT", "TRUE"):
            pieces.append(draw(st.sampled_from([token.text, token.text, f"({token.text})"])))
        elif token.type in ("COMMA", "LPAR", "RPAR", "LSQB", "EQUAL"):
            pieces.append(token.text + draw(st.sampled_from(["", "", " ", "\n", " # here\n", "\n# there\n"])))
        else:
            pieces.append(token.text)
    return "".join(pieces) + draw(st.sampled_from(["", "\n", "\n\n# the end", "\n# the end\n"]))
