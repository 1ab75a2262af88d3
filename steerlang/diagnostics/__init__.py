"""Diagnostics: what they are, their codes, and how they are shown."""

from . import codes
from .model import Applicability, Diagnostic, Edit, Fix, Label, error, has_errors, ordered

__all__ = ["Applicability", "Diagnostic", "Edit", "Fix", "Label", "codes", "error", "has_errors", "ordered"]
