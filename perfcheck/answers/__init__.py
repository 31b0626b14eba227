"""Whether an answer is right: paths into JSON, conditions on values, and what a baseline expects, checked.

Pure: bytes and headers in, one line of text out.
"""
