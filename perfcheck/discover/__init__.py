"""What finds the operations of a service, and which of them can be measured as they are.

Each source (a document, a route table, a recording, a log, links) becomes operations; ``merge`` makes one list of them,
and ``survey`` sends each a request, with ids harvested from the responses before. Nothing here decides or writes.
"""
