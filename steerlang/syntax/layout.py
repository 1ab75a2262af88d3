"""Entries as lines: what fits on a line stands on one, else one group is opened and each of its entries has a line.

The layout depends on the tokens, the comments and the blank lines alone, never on where lines were broken before, so a
second pass changes nothing.
"""

from __future__ import annotations

from .comments import Entry, Group, Part, Remark
from .spacing import flat, flat_part, is_sign, part_type, separator

WIDTH = 100
INDENT = "  "

#: Binary operators by how loosely they bind; a long line is broken before the loosest of its own.
_LEVELS = (("OR",), ("AND",), ("COMPARE",), ("RANGE", "UNTIL"), ("PLUS", "MINUS"), ("STAR", "SLASH"))


def fits(text: str, column: int, after: int) -> bool:
    """Whether `text` ends before the margin when it begins at `column` and `after` characters follow."""
    first, *rest = text.split("\n")
    if not rest:
        return column + len(first) + after <= WIDTH
    return column + len(first) <= WIDTH and len(rest[-1]) + after <= WIDTH


def lay_out(parts: list[Part], indent: str, lead: str = "", after: int = 0) -> str:
    """The parts as text: its first line begins with `lead` on a line indented by `indent`, the others are indented."""
    forced = [i for i, part in enumerate(parts) if isinstance(part, Group) and part.has_comments]
    column = len(indent) + len(lead)
    if forced:
        return lead + _with_open(parts, indent, set(forced), after)
    text = flat(parts)
    if fits(text, column, after):
        return lead + text
    if len(indent) > WIDTH // 2:  # deep inside, opening more groups makes nothing readable
        return lead + text
    best = _group_to_open(parts, column, after)
    split = _loosest(parts)
    if best is not None and (not split or 2 * len(flat_part(parts[best])) >= len(text)):  # it is the bulk of the line
        return lead + _with_open(parts, indent, {best}, after)
    if split:
        return _split(parts, split, indent, lead, after)
    longest = _longest_group(parts)
    return lead + (text if longest is None else _with_open(parts, indent, {longest}, after))


def _groups(parts: list[Part]) -> list[int]:
    return [i for i, part in enumerate(parts) if isinstance(part, Group) and part.entries]


def _longest_group(parts: list[Part]) -> int | None:
    found = _groups(parts)
    return max(found, key=lambda i: (len(flat_part(parts[i])), i)) if found else None


def _group_to_open(parts: list[Part], column: int, after: int) -> int | None:
    """The longest group, if what stands before and behind it fits on its lines."""
    longest = _longest_group(parts)
    if longest is None:
        return None
    before = flat(parts[:longest]) + separator(parts, longest)
    behind = flat(parts[longest:])[len(flat_part(parts[longest])) :]
    fitting = fits(before, column, 1) and fits(behind, 1, after) and "\n" not in before
    return longest if fitting else None


def _with_open(parts: list[Part], indent: str, opened: set[int], after: int) -> str:
    text = ""
    for i, part in enumerate(parts):
        text += separator(parts, i)
        text += _open(part, indent) if i in opened and isinstance(part, Group) else flat_part(part)
    return text


def _open(group: Group, indent: str) -> str:
    """The group with one entry a line."""
    inner = indent + INDENT
    lines = entry_lines(group.entries, inner, comma=group.is_list)
    lines += remark_lines(group.below, inner, first=not group.entries)
    return "\n".join([group.opener.text, *lines, indent + group.closing])


def _loosest(parts: list[Part]) -> list[int]:
    """Positions of the loosest binary operators; the value begins behind `=` where there is one."""
    start = max((i for i, part in enumerate(parts) if part_type(part) == "EQUAL"), default=-1) + 1
    for level in _LEVELS:
        found = [i for i in range(start, len(parts)) if part_type(parts[i]) in level and not is_sign(parts, i)]
        if found:
            return found
    return []


def _split(parts: list[Part], at: list[int], indent: str, lead: str, after: int) -> str:
    """A line for each operand; operators begin lines, so that nothing could be taken for a new definition."""
    inner = indent + INDENT
    text = lay_out(parts[: at[0]], indent, lead)
    for start, end in zip(at, [*at[1:], len(parts)], strict=True):
        operator = flat_part(parts[start])
        text += "\n" + inner + lay_out(parts[start + 1 : end], inner, f"{operator} ", after if end == len(parts) else 0)
    return text


def entry_lines(entries: list[Entry], indent: str, *, comma: bool) -> list[str]:
    """The entries of an open group with their comments, `=` aligned in runs of named ones on one line each."""
    end = "," if comma else ""
    texts = [lay_out(entry.parts, indent, after=len(end)) for entry in entries]
    for run in _runs(entries, texts):
        width = max(len(flat_part(entries[i].parts[0])) for i in run)
        padded = {i: padded_names(texts[i], [(flat_part(entries[i].parts[0]), width)]) for i in run}
        if all(fits(text, len(indent), len(end)) for text in padded.values()):
            for i, text in padded.items():
                texts[i] = text
    lines: list[str] = []
    for i, (entry, text) in enumerate(zip(entries, texts, strict=True)):
        lines += remark_lines(entry.above, indent, first=i == 0)
        if entry.blank_above and (i or entry.above):
            lines.append("")
        lines.append(indent + text + end + (f"  {entry.behind}" if entry.behind else ""))
    return lines


def _runs(entries: list[Entry], texts: list[str]) -> list[list[int]]:
    """Positions of adjacent named entries that have a line each."""
    return runs([entry.is_named and "\n" not in text for entry, text in zip(entries, texts, strict=True)], entries)


def runs(alignable: list[bool], entries: list[Entry]) -> list[list[int]]:
    """Runs of at least two entries that can be aligned, with no comment or blank line between them."""
    found: list[list[int]] = []
    for i, entry in enumerate(entries):
        apart = bool(entry.above) or entry.blank_above
        if alignable[i] and i and alignable[i - 1] and not apart:
            found[-1].append(i)
        elif alignable[i]:
            found.append([i])
    return [run for run in found if len(run) > 1]


def padded_names(text: str, names: list[tuple[str, int]]) -> str:
    """`text` with each of the names it begins with padded to a width."""
    head = ""
    for name, width in names:
        text = text[len(name) :].removeprefix(" ")
        head += name.ljust(width) + " "
    return head + text


def remark_lines(remarks: list[Remark], indent: str, *, first: bool) -> list[str]:
    """Comments on lines of their own, with the blank lines above them unless they come `first`."""
    lines: list[str] = []
    for i, remark in enumerate(remarks):
        if remark.blank_above and not (first and i == 0):
            lines.append("")
        lines.append(indent + remark.text)
    return lines
