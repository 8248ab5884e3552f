"""User-level differential privacy in federated learning: the core that every page and command shares."""

__version__ = "0.1.0"
