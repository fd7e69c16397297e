"""Hold the version of the program. It imports nothing, so that every layer may ask for it."""

__version__ = "0.1.0"
