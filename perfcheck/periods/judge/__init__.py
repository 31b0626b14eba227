"""A period of the history, judged: what changed, what was resolved, what is slow, and what to work on next.

Pure: past runs and measurements in, a PeriodReport out. A series is one endpoint on one machine, by one baseline,
request and metric; only within a series are values compared.
"""
