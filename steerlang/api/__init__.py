"""What `import steerlang` offers.

    import steerlang

    run = steerlang.load("quickstart.steer").run()
    run["politeness"]                      # a table of numbers
    with run["kind"] as model:             # an ordinary Hugging Face model, steered while inside
        model.generate(...)

Checking and planning are light: torch is imported when something runs that needs it.
"""

from .program import Program, check, check_text, load
from .settings import Settings, SteerlangError

__all__ = ["Program", "Settings", "SteerlangError", "check", "check_text", "load"]
