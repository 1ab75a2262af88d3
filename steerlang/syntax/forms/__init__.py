"""The YAML and JSON form: the same syntax tree from another text, with spans into that text, and back."""

from .building import parse_form
from .places import ANYWHERE, Place, Vocabulary
from .plain import plain_program
from .text import program_text

__all__ = ["ANYWHERE", "Place", "Vocabulary", "parse_form", "plain_program", "program_text"]
