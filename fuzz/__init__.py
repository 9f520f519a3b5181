"""Long runs of mutated input against the parsers; the short ones are in tests/."""
