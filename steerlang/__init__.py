"""steerlang: a declarative language for steering models."""

__version__ = "0.1.0"
