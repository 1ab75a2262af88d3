"""Makes the courtesy model: a grammar of requests and replies, a tokenizer, a small Llama, data files and the card."""
