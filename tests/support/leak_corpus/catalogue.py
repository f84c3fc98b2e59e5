"""Cases by name: functions that plant something in a draft."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leak_corpus.draft import Draft

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from leak_corpus.model import Case

    Plant = Callable[[Draft], None]


class Catalogue:
    """Cases of one kind, in the order of their definition."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.plants: dict[str, Plant] = {}

    def case(self, name: str) -> Callable[[Plant], Plant]:
        """Decorate a function as a case."""

        def register(plant: Plant) -> Plant:
            self.add(name, plant)
            return plant

        return register

    def add(self, name: str, plant: Plant) -> None:
        """Add a case under a name of its own."""
        full = f"{self._prefix}/{name}"
        assert full not in self.plants, full
        self.plants[full] = plant

    def build(self, seed: int) -> Iterator[Case]:
        """All cases, drawn with a seed."""
        for name in self.plants:
            yield self.build_one(name, seed)

    def build_one(self, name: str, seed: int) -> Case:
        """One case, drawn with a seed."""
        draft = Draft(name, seed)
        self.plants[name](draft)
        return draft.finish()
