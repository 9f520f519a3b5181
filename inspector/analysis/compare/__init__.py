"""How two models differ: configs, tokens and files, parameters, tensors, weights."""
