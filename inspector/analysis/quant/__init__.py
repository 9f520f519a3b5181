"""The audit of a quantized checkpoint: what is declared, what is stored, what loaders take."""
