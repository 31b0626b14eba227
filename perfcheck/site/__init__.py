"""The history as a static site: its pages, its badge, and the folder that they are written to."""
