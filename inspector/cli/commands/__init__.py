"""What a person types: a file a command, with nothing loaded that `--help` does not need."""
