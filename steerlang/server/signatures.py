"""Signature help: the call that is being written, and which of its parameters."""

from __future__ import annotations

from lsprotocol import types as lsp

from steerlang.language.signature import Function, Method

from .analysis import Analysis
from .cursor import Frame, cursor_at
from .describing import paragraphs, parameter_text, sentence, written
from .expected import owners


def signature_help(analysis: Analysis, offset: int) -> lsp.SignatureHelp | None:
    cursor = cursor_at(analysis, offset)
    if cursor.place == "comment":
        return None
    found = owners(cursor, analysis.compiled.program.registry)
    if not found:
        return None
    frame, owner = found[-1]
    return lsp.SignatureHelp([_signature(owner)], 0, _active(owner, frame))


def _signature(owner: Function | Method) -> lsp.SignatureInformation:
    label = f"{owner.name}("
    parameters: list[lsp.ParameterInformation] = []
    for parameter in (*owner.subjects, *owner.parameters):
        label += ", " if parameters else ""
        text = written(parameter)
        place = (len(label), len(label) + len(text))  # names and defaults of the vocabulary are ASCII
        about = lsp.MarkupContent(lsp.MarkupKind.Markdown, parameter_text(parameter, f"`{owner.name}`"))
        parameters.append(lsp.ParameterInformation(place, about))
        label += text
    about = lsp.MarkupContent(lsp.MarkupKind.Markdown, paragraphs(sentence(owner.help)))
    return lsp.SignatureInformation(f"{label})", about, parameters)


def _active(owner: Function | Method, frame: Frame) -> int | None:
    """The index of the parameter that is being given; None where it cannot be told yet."""
    names = [p.name for p in (*owner.subjects, *owner.parameters)]
    if frame.argument is not None:
        return names.index(frame.argument) if frame.argument in names else None
    if frame.position < len(owner.subjects):
        return frame.position
    return len(owner.subjects) - 1 if owner.subjects and owner.subjects[-1].many else None
