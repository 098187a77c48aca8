"""The base class of every strategy."""

from collections.abc import Mapping
from typing import Any, ClassVar, Generic, Protocol, cast, get_args, get_origin

from pydantic import BaseModel, ConfigDict
from typing_extensions import TypeVar

from .session import Session


class Parameters(BaseModel):
    """Base of an algorithm's parameters. Fields carry type, default, bounds and, as description, their help."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Signal(Protocol):
    """A value that follows a series: causal, fed one point after the other, and resumable.

    Its value after point n may depend on points 1 to n alone. `dump` gives all that it remembers as JSON-able
    data, and `load` takes it back, so that a signal restored goes on exactly as one never interrupted.
    """

    def update(self, value: float) -> None: ...

    @property
    def value(self) -> object: ...

    def dump(self) -> Any: ...

    def load(self, state: Any) -> None: ...


P = TypeVar("P", bound=Parameters, default=Parameters)


class Algorithm(Generic[P]):
    """A strategy: decides at each session what to hold.

    `Algorithm[MyParameters]` names the model of its parameters, and `self.parameters` is one of them; it is also
    the class attribute `Parameters`, from which forms and the registry read names, types, bounds and help.

    An author overrides `open` (called when flat), and `manage` (called when holding) if the position is looked
    after between rolls. Both get the `Session`, which knows what was known at its decision time and takes trades.
    The engine closes the position when a held contract comes near its expiry, before the hook is called.

    An algorithm keeps nothing on itself between sessions: what it must remember goes into `session.memory`
    (numbers, text, True, False, None, and lists or dicts of these, replaced and never changed in place), so that a run
    can be resumed anywhere.

    Attributes:
        parameters: A model of the class's `Parameters`.
        direction: The one that is computed.
        directions: Label pattern of each direction's series; one direction named "" by default.
        columns: Names of the algorithm's own columns, set with `session.record`.
        reads: Labels of series of the same product whose whole history `session.history` is to give. A signal costs
            the same however long the history is; prefer one.

    Raises:
        ValueError: The direction is none of `directions`, or there are no parameters and some have no default.
    """

    Parameters: ClassVar[type[Parameters]] = Parameters
    directions: ClassVar[Mapping[str, str]] = {"": "{name}"}
    columns: ClassVar[tuple[str, ...]] = ()
    reads: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        if "Parameters" not in cls.__dict__:
            for base in cls.__dict__.get("__orig_bases__", ()):
                origin = get_origin(base)
                if isinstance(origin, type) and issubclass(origin, Algorithm):
                    (model,) = get_args(base)
                    cls.Parameters = getattr(model, "__bound__", model)  # a class that is itself generic has a bound

    def __init__(self, parameters: P | None = None, direction: str = ""):
        if direction not in self.directions:
            known = ", ".join(map(repr, self.directions))
            raise ValueError(f"{type(self).__name__} has no direction {direction!r}: use one of {known}")
        self.parameters: P = cast(P, self.Parameters()) if parameters is None else parameters
        self.direction = direction

    def signals(self) -> Mapping[str, tuple[str, Signal]]:
        """Signals it watches: name -> (label of a series of the same product, a fresh signal that follows it)."""
        return {}

    def needs(self) -> tuple[str, ...]:
        """Labels of the series of the same product that must be computed before this one."""
        return tuple(dict.fromkeys([*(label for label, _ in self.signals().values()), *self.reads]))

    def open(self, session: Session) -> None:
        """Called at each session that finds the series flat."""

    def manage(self, session: Session) -> None:
        """Called at each session that finds the series holding a position."""
