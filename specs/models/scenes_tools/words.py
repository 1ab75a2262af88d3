"""The tokenizer: byte-level BPE in which a plural is the shape's token and a token of the ending."""

from __future__ import annotations

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from .captions import PROMPT, STYLES, caption
from .questions import FORMS, ask
from .world import SHAPES, draw_scene

BOS, EOS, PAD, IMAGE = "<s>", "</s>", "<pad>", "<image>"
CHAT = (
    "{% for message in messages %}{% if message['role'] == 'user' %}User:"
    "{% for part in message['content'] if part['type'] == 'image' %}<image>{% endfor %}"
    "{% for part in message['content'] if part['type'] == 'text' %} {{ part['text'] }}{% endfor %}"
    "{% else %} Assistant:"
    "{% for part in message['content'] if part['type'] == 'text' %} {{ part['text'] }}{% endfor %}</s>"
    "{% endif %}{% endfor %}{% if add_generation_prompt %} Assistant:{% endif %}"
)


def corpus(count: int, seed: int) -> list[str]:
    """Captions and questions of `count` scenes."""
    rng, texts = np.random.default_rng(seed), [f" {PROMPT} Assistant: User:"]
    for _ in range(count):
        scene = draw_scene(rng)
        texts += [" " + caption(scene, STYLES[style], rng) for style in STYLES]
        for asked in (ask(scene, kind, rng) for kind in FORMS):
            texts += [f" {asked.question} {asked.answer}"]
    return texts


def train_tokenizer(size: int, seed: int = 0) -> PreTrainedTokenizerFast:
    """Encoding puts `<s>` first; padding goes on the left."""
    core = Tokenizer(models.BPE())
    ending = Regex(rf"(?<={'|'.join(SHAPES)}|shape)e?s\b")
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(ending, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    core.decoder = decoders.ByteLevel()
    core.train_from_iterator(
        corpus(2000, seed),
        trainers.BpeTrainer(vocab_size=size, special_tokens=[BOS, EOS, PAD, IMAGE], show_progress=False,
                            initial_alphabet=pre_tokenizers.ByteLevel.alphabet()),
    )  # fmt: skip
    core.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, core.token_to_id(BOS))]
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=core, bos_token=BOS, eos_token=EOS, pad_token=PAD, model_max_length=128, padding_side="left",
        extra_special_tokens={"image_token": IMAGE},
    )  # fmt: skip
