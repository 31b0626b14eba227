"""perfcheck: did your HTTP service get slower?"""

__version__ = "0.1.0"
