"""What parameters take: how the expression given for one is read, checked and turned into a value.

Bare words are read by the parameter's type before names are looked up, so a new method or option never breaks a
program. `check` works on the expression alone; `problem` judges a value once it is known (bounds, patterns).
"""

from .base import Data, ParameterType, Value, Words
from .depth import Layers, names_layers
from .many import AxisOf, ListOf, Single, Spread
from .options import Choice, Methods, Selector, WordOr, not_an_option
from .scalars import Flag, Number, Text, TextOr

__all__ = [
    "AxisOf",
    "Choice",
    "Data",
    "Flag",
    "Layers",
    "ListOf",
    "Methods",
    "Number",
    "ParameterType",
    "Selector",
    "Single",
    "Spread",
    "Text",
    "TextOr",
    "Value",
    "WordOr",
    "Words",
    "names_layers",
    "not_an_option",
]
