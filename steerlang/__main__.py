"""`python -m steerlang`."""

from steerlang.cli.main import entry

if __name__ == "__main__":
    entry()
