"""The batch: what to run, when and where; merging results back; the command line."""

__version__ = "0.1.0"
