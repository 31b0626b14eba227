"""OpenAPI documents, of version 2.0 to 3.2: where a service has its own, and which operations they describe.

Schemas and references are followed only as far as the value of a parameter needs them.
"""
