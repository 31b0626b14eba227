"""The result as Markdown: a comment under a pull request, a job summary, or a file to read as it is."""

from perfcheck.report.markdown.page import LONGEST_COMMENT, marker, render

__all__ = ["LONGEST_COMMENT", "marker", "render"]
