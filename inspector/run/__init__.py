"""Long work: results in a folder, so that a run that was stopped goes on where it was."""
