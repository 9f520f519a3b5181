"""How many parameters a model has: by formula from its config, and as its headers store them."""
