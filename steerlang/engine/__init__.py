"""Carrying a plan out: the store of results, events, and the scheduler."""
