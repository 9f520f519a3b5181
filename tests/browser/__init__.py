"""Pages as people open them: in a headless Chromium that is installed apart."""
