"""Runs as people look at them: tables, Markdown, figures, a page to browse."""
