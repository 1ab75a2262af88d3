"""Weights: checkpoints as streams of tensors, task vectors, composition, receipts. numpy alone, no torch."""
