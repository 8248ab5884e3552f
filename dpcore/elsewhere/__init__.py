"""Runs that other frameworks have trained: what their records say, and what that guarantees."""
