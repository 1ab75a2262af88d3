"""Generated texts as items: the prompt's tokens, the new tokens, and the characters each new token gave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from steerlang.models.tokens import TokenisedItem


def reply_item(tokenizer: Any, prompt: Sequence[int], reply: Sequence[int]) -> TokenisedItem:
    """A prompt and what was generated after it, of which selectors see the reply alone."""
    told = spelled(tokenizer, reply)
    return TokenisedItem((*prompt, *reply), told.text, told.offsets, told.specials, prompt=len(prompt))


def spelled(tokenizer: Any, ids: Sequence[int]) -> TokenisedItem:
    """Tokens with the text they decode to and the characters that each adds to it.

    The tokens are taken as they are and never made anew from the text. A token that completes a character begun by
    tokens before it covers that character; the ones before cover nothing.
    """
    text, offsets = "", []
    for count in range(1, len(ids) + 1):
        before = len(text)
        decoded = str(
            tokenizer.decode(
                list(ids[:count]), skip_special_tokens=False, clean_up_tokenization_spaces=False
            )
        )
        if not decoded.endswith("�"):
            text = decoded
        offsets.append((min(before, len(text)), len(text)))
    named = dict(zip(tokenizer.all_special_ids, tokenizer.all_special_tokens, strict=True))
    specials = tuple((at, str(named[i])) for at, i in enumerate(ids) if i in named)
    return TokenisedItem(tuple(ids), text, tuple(offsets), specials)
