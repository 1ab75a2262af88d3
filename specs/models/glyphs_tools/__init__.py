"""Makes the glyphs models: drawn images, a small CLIP, its fine-tunes, their cards and the data files."""
