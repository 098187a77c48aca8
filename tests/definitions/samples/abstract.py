from abc import ABC, abstractmethod

from algorithms.engine import Algorithm


class Base(Algorithm, ABC):
    """A base."""

    @abstractmethod
    def choose(self): ...


class NoAlgorithm:
    pass


NUMBER = 1
