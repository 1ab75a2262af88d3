"""The numbers: pure functions on tensors. No files, no models, no options dictionaries.

Modules: `extraction` (directions from paired states), `quality` (how good a direction is), `steering` (operators on
states), `metrics` (divergences, likelihoods, intervals). Every docstring gives formula, shapes, units and source.
"""
