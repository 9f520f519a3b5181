"""The documentation: pages in Markdown, and `python -m docs.generate`, which keeps them true."""
