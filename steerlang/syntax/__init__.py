"""Text and syntax tree: lexing, parsing with recovery, printing."""

from .lexing import Token, tokenize
from .parsing import parse, parse_expression
from .reading import read_source, source_from_bytes
from .tree import Program

__all__ = ["Program", "Token", "parse", "parse_expression", "read_source", "source_from_bytes", "tokenize"]
