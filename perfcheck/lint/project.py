"""The modules that were read, by the names under which they are imported."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile

from perfcheck.lint.module_facts import Module, Parts
from perfcheck.lint.vocabulary import KNOWN_PACKAGES


class Project:
    """Modules by path. A name is looked up as Python would, from whatever folder makes the import work."""

    def __init__(self, modules: Iterable[Module]) -> None:
        self.modules = list(modules)
        self._by_path: dict[Parts, Module] = {}
        self._by_last: dict[str, list[Module]] = {}
        for module in self.modules:
            if self._by_path.setdefault(module.path, module) is module and module.path:
                self._by_last.setdefault(module.path[-1], []).append(module)

    def find(self, name: Parts, level: int, importer: Module) -> Module | None:
        """The module that ``importer`` means by ``from ..name import``, with ``level`` dots; None if not read."""
        if level:
            package = importer.path if importer.is_package else importer.path[:-1]
            return self._by_path.get((*package[: len(package) - (level - 1)], *name))
        if not name or name[0] in KNOWN_PACKAGES:
            return None
        folder = importer.path[:-1]
        fitting = [
            module
            for module in self._by_last.get(name[-1], ())
            if module.path[-len(name) :] == name and self._can_be_imported_from(module.path[: -len(name)], folder)
        ]
        return max(fitting, key=lambda module: (_shared(module.path, folder), -len(module.path)), default=None)

    def _can_be_imported_from(self, root: Parts, folder: Parts) -> bool:
        """A top-level module is in the folder of the importer, or in a folder that is not itself a package."""
        package = self._by_path.get(root)
        return root == folder or package is None or not package.is_package


def _shared(path: Parts, other: Parts) -> int:
    """How many leading parts are the same."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(path, other, strict=False)))
