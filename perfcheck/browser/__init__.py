"""Page loads in a real browser, by Playwright (the extra ``perfcheck[browser]``).

The browser is driven by a process of its own (:mod:`perfcheck.browser.worker`), so that one that crashes or hangs costs
a page, and not the run, and Ctrl-C reaches nothing that Playwright has under way.
"""
