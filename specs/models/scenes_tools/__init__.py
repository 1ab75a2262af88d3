"""Parts of `scenes.py`."""
