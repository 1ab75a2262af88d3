"""Samples on the page: replies side by side, with the words marked that the unsteered model did not say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from .findings import SampleColumn, SampleTable, gate_notes, point_text
from .html_parts import Page, fold, heading, picture, plural
from .origins import EDITED, UNSTEERED
from .random_rows import is_random_point
from .word_diff import marked

MOST_OPEN = 12  # prompts shown before the rest is folded away
MOST_PROMPTS = 100  # prompts on the page
FEWER_OPEN = 5  # where replies stand below each other
MOST_BESIDE = 4  # replies beside each other; more stand below each other
MOST_CHARACTERS = 1_200_000  # of all samples of a page
LONG, SHOWN = 700, 280  # a text with more characters is folded behind so many


@dataclass(frozen=True)
class _Reply:
    """A column as it is shown: its name, its texts, and those it is held against."""

    name: str
    texts: tuple[str, ...]
    base: tuple[str, ...] | None = None
    is_base: bool = False


def samples(page: Page) -> str:
    """Every table, until the page is full; what is left out is counted."""
    tables = [t for t in page.findings.samples if t.prompts]
    shown, room, named = [], MOST_CHARACTERS, set()
    for table in tables:
        prompts = min(_that_fit(table, room), MOST_PROMPTS)
        room -= sum(_size(table, i) for i in range(prompts))
        shown.append(_table(page, table, prompts, tables, table.name not in named))
        named.add(table.name)
    return "\n".join(shown)


def _size(table: SampleTable, i: int) -> int:
    return len(table.prompts[i]) + sum(len(c.completions[i]) for c in table.columns)


def _that_fit(table: SampleTable, room: int) -> int:
    """How many prompts of a table have room; the first always has."""
    for i in range(len(table.prompts)):
        room -= _size(table, i)
        if room < 0:
            return max(i, 1)
    return len(table.prompts)


def _table(page: Page, table: SampleTable, prompts: int, tables: Sequence[SampleTable], first: bool) -> str:
    random = [c for c in table.columns if is_random_point(c.labels, c.origin)]
    columns = [c for c in table.columns if c not in random]
    replies = _replies(table, columns, tables)
    notes = [*gate_notes(table)]
    if any(r.base is not None for r in replies):
        notes.append("words that the unsteered reply lacks are marked; replies equal to it are grey")
    lines = "".join(f'<p class="soft">{escape(words)}</p>\n' for words in notes)
    shown = _prompts(page, table, replies, prompts) if replies else ""
    if random:
        named = f"{len(random)} random direction{'s' * (len(random) > 1)}"
        block = _prompts(page, table, _replies(table, random, tables), min(prompts, MOST_OPEN))
        shown += fold(named, block) if shown else block
    left = len(table.prompts) - prompts
    cut = f'<p class="soft">{plural(left, "more prompt")}: `--format json` gives all</p>\n' if left else ""
    return heading(page, table.name, table.description, first) + lines + shown + cut


def _replies(table: SampleTable, columns: Sequence[SampleColumn], tables: Sequence[SampleTable]) -> list[_Reply]:
    """Columns with what they are held against; equal columns of the unsteered model are one."""
    bases = {(c.origin.measure, c.origin.weights): c.completions for t in tables for c in t.columns
             if c.origin is not None and c.origin.role in (UNSTEERED, EDITED)}  # fmt: skip
    found: list[_Reply] = []
    seen: set[tuple[str, ...]] = set()
    for column in columns:
        name = point_text(table.axes, column.labels) or table.name
        origin = column.origin
        if origin is not None and origin.role == UNSTEERED:
            if column.completions not in seen:
                found.append(_Reply(name, column.completions, is_base=True))
            seen.add(column.completions)
            continue
        base = bases.get((origin.measure, origin.base)) if origin is not None else None
        found.append(_Reply(name, column.completions, base))
    return _with_base(found)


def _with_base(replies: list[_Reply]) -> list[_Reply]:
    """The unsteered replies first; put there where they stand in another table."""
    lacking = next((r.base for r in replies if r.base is not None), None)
    if lacking is not None and not any(r.is_base for r in replies):
        return [_Reply("unsteered", lacking, is_base=True), *replies]
    return sorted(replies, key=lambda r: not r.is_base)


def _prompts(page: Page, table: SampleTable, replies: Sequence[_Reply], prompts: int) -> str:
    """Some columns of a table, all but the first prompts folded away."""
    block, opened = (_beside, MOST_OPEN) if len(replies) <= MOST_BESIDE else (_below, FEWER_OPEN)
    shown = block(page, table, replies, range(min(prompts, opened)))
    rest = range(opened, prompts)
    return shown + (fold(plural(len(rest), "more prompt"), block(page, table, replies, rest)) if rest else "")


def _beside(page: Page, table: SampleTable, replies: Sequence[_Reply], places: Sequence[int]) -> str:
    """A column for each model."""
    heads = ["prompt", *(r.name for r in replies)]
    top = "".join(f'<th scope="col">{escape(h)}</th>' for h in heads)
    rows = []
    for i in places:
        cells = [_cell("prompt", _prompt(page, table, i))]
        cells += [_cell(r.name, shown) for r, shown in zip(replies, _marked(replies, i), strict=True)]
        rows.append(f"<tr>{''.join(cells)}</tr>")
    body = "\n".join(rows)
    return f'<table class="samples beside">\n<thead><tr>{top}</tr></thead>\n<tbody>\n{body}\n</tbody></table>'


def _prompt(page: Page, table: SampleTable, i: int) -> str:
    shown = picture(page, table.images[i]) if table.images else ""
    return shown + _folded(table.prompts[i], escape(table.prompts[i]))


def _cell(name: str, shown: str) -> str:
    return f'<td data-name="{escape(name)}">{shown}</td>'


def _below(page: Page, table: SampleTable, replies: Sequence[_Reply], places: Sequence[int]) -> str:
    """A row for each model, below its prompt."""
    rows = []
    for i in places:
        prompt = _prompt(page, table, i)
        rows.append(f'<tr class="prompt"><th colspan="2" scope="rowgroup">{prompt}</th></tr>')
        rows += [
            f'<tr><th scope="row">{escape(r.name)}</th><td>{shown}</td></tr>'
            for r, shown in zip(replies, _marked(replies, i), strict=True)
        ]
    body = "\n".join(rows)
    return f'<table class="samples below">\n<tbody>\n{body}\n</tbody></table>'


def _marked(replies: Sequence[_Reply], i: int) -> list[str]:
    """The replies to a prompt as HTML. Where one is held against the other, both have their marks."""
    held = [r for r in replies if r.base is not None]
    found = []
    for reply in replies:
        # Most replies begin with the blank that parts them from their prompts.
        own = reply.texts[i].lstrip(" ")
        shown = escape(own)
        if reply.base is not None:
            base = reply.base[i].lstrip(" ")
            shown = _with_tags(marked(own, base)[0], "ins") if own != base else f'<span class="soft">{shown}</span>'
        elif reply.is_base and len(held) == 1:
            shown = _with_tags(marked(held[0].texts[i].lstrip(" "), own)[1], "del")
        found.append(_folded(own, shown) if own else '<span class="soft">(nothing)</span>')
    return found


def _with_tags(parts: Sequence[tuple[str, bool]], tag: str) -> str:
    """Blanks at the end of a marked part stay outside."""
    found = []
    for words, other in parts:
        kept = words.rstrip()
        found.append(f"<{tag}>{escape(kept)}</{tag}>{escape(words[len(kept):])}" if other and kept else escape(words))
    return "".join(found)


def _folded(plain: str, shown: str) -> str:
    """A long text behind its beginning."""
    if len(plain) <= LONG:
        return shown
    start = escape(plain[:SHOWN].rstrip())
    return f'<details class="long"><summary>{start}… <b>{len(plain):,} characters</b></summary>{shown}</details>'

