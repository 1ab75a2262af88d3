"""The Pygments lexer for steerlang programs (`steerlang`, `steer`; `*.steer`), for Sphinx, MkDocs and notebooks.

It cuts texts with the language's own lexer, so the colours follow the grammar and a malformed token is an error here
too. Pygments finds it through its entry point; nothing else of steerlang needs Pygments.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from pygments import token as kinds
from pygments.lexer import Lexer

from steerlang.source import Source

from .roles import Role, parts

_Kind = Any  # `pygments.token._TokenType`, a private class

TOKEN_OF: dict[Role, _Kind] = {
    Role.SPACE: kinds.Whitespace,
    Role.COMMENT: kinds.Comment.Single,
    Role.HEADER: kinds.Keyword.Namespace,
    Role.EDITION: kinds.Number.Integer,
    Role.KIND: kinds.Keyword.Declaration,
    Role.DEFINED: kinds.Name.Variable,
    Role.FUNCTION: kinds.Name.Function,
    Role.METHOD: kinds.Name.Builtin,
    Role.ARGUMENT: kinds.Name.Attribute,
    Role.OPTION: kinds.Name.Builtin,
    Role.NAME: kinds.Name,
    Role.MEMBER: kinds.Name,
    Role.CONSTANT: kinds.Keyword.Constant,
    Role.OPERATOR_WORD: kinds.Operator.Word,
    Role.OPERATOR: kinds.Operator,
    Role.PUNCTUATION: kinds.Punctuation,
    Role.NUMBER: kinds.Number,
    Role.QUANTITY: kinds.Number,
    Role.TEXT: kinds.String.Double,
    Role.RAW: kinds.String.Regex,
    Role.BLOCK: kinds.String.Heredoc,
    Role.BAD: kinds.Error,
}


class SteerLexer(Lexer):  # type: ignore[misc]  # Pygments has no types of its own
    """Lexer for the steerlang language."""

    name = "steerlang"
    aliases: ClassVar[list[str]] = ["steerlang", "steer"]
    filenames: ClassVar[list[str]] = ["*.steer"]
    mimetypes: ClassVar[list[str]] = ["text/x-steerlang"]
    version_added = "0.1"

    def get_tokens_unprocessed(self, text: str) -> Iterator[tuple[int, _Kind, str]]:
        for part in parts(Source("<text>", text)):
            yield part.token.start, TOKEN_OF[part.role], part.token.written

    @staticmethod
    def analyse_text(text: str) -> float:
        """Programs begin with `steerlang 1`, comments aside."""
        seen = (p for p in parts(Source("<text>", text[:2000])) if p.role not in (Role.SPACE, Role.COMMENT))
        first = next(seen, None)
        return 1.0 if first is not None and first.role is Role.HEADER else 0.0
