"""What the language server costs while one types: processor time for each question, after a key was pressed.

    python benchmarks/server.py

The program is changed by one character before each round, so that everything is computed anew; files and models on
disk were looked at before, as they are while one types. `checked` is the program checked as far as completion, hover
and colours need it, `problems` what is sent as diagnostics beyond that (the headers of weights). The goal is below
100 ms between a key and an answer, for programs of a page.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from lsprotocol import types as lsp

from steerlang.server.answers import Answers

SPECS = Path(__file__).parents[1] / "specs"
PROGRAMS = ("quickstart", "two_vectors", "methods/gates", "weights/methods", "weights/adaptation")
ROUNDS = 5


def milliseconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return (time.process_time() - started) * 1000


def one_round(answers: Answers, uri: str, text: str, number: int) -> dict[str, float]:
    change = lsp.TextDocumentContentChangeWholeDocument(f"{text}# {number}\n")
    answers.desk.change(uri, [change], number)
    document, middle = lsp.TextDocumentIdentifier(uri), lsp.Position(text.count("\n") // 2, 20)
    return {
        "checked": milliseconds(lambda: answers.desk.analysis(uri)),
        "problems": milliseconds(lambda: answers.problems(uri)),
        "completion": milliseconds(lambda: answers.completion(lsp.CompletionParams(document, middle))),
        "hover": milliseconds(lambda: answers.hover(lsp.HoverParams(document, middle))),
        "colours": milliseconds(lambda: answers.tokens(lsp.SemanticTokensParams(document))),
    }


def main() -> None:
    heads = ("checked", "problems", "completion", "hover", "colours")
    print("| program | lines | " + " | ".join(heads) + " |")
    print("|---|---|" + "---|" * len(heads))
    for name in PROGRAMS:
        path = SPECS / f"{name}.steer"
        text, uri, answers = path.read_text(encoding="utf-8"), path.as_uri(), Answers()
        answers.desk.open(uri, text)
        answers.problems(uri)
        rounds = [one_round(answers, uri, text, n) for n in range(1, ROUNDS + 1)]
        best = [min(r[head] for r in rounds) for head in heads]
        print(f"| `{name}` | {text.count(chr(10))} | " + " | ".join(f"{b:.1f} ms" for b in best) + " |", flush=True)


if __name__ == "__main__":
    main()
