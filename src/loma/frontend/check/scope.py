"""What the checker of one function knows: the file around it, and the names in scope."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from loma.diagnostics import Diagnostic, Span
from loma.frontend import surface, typed
from loma.frontend.check.types import Types
from loma.frontend.errors import Finding
from loma.frontend.launches import Launches
from loma.frontend.methods import Methods
from loma.ir.derived import Mode
from loma.ir.nodes import Signature
from loma.ir.types import Scalar, StructType

if TYPE_CHECKING:
    from loma.frontend.check.generic import Instances
    from loma.frontend.check.parallel import Passed

MANY: Final = 50
MAKES_DUAL: Final = "make__dfloat"


@dataclass(frozen=True, slots=True)
class Context:
    """A file's types and signatures (None: of a definition that was reported).

    `calls` collects what each function calls; `reverse` names functions whose outputs add up;
    `remarks` are warnings; `written_out` are builtins that became functions; `request` makes a
    derivative known;
    `makers` are functions that the program calls unwritten, each with its kind and what it makes;
    `passed` are operands that the rounds of parallel loops share.
    """

    types: Types
    signatures: dict[str, Signature | None]
    findings: list[Finding]
    reverse: Set[str] = frozenset()
    calls: dict[str, set[str]] = field(default_factory=dict)
    makers: dict[str, tuple[str, StructType | Scalar]] = field(default_factory=dict)
    methods: Methods = field(default_factory=Methods)
    launches: Launches = field(default_factory=Launches)
    passed: list[Passed] = field(default_factory=list)
    remarks: dict[Span, Diagnostic] = field(default_factory=dict)
    written_out: dict[tuple[str, str], str] = field(default_factory=dict)
    instances: Instances = field(kw_only=True)
    request: Callable[[Mode, str, frozenset[str], Span], str] = field(kw_only=True)

    def maker(self, kind: str, made: StructType | Scalar) -> str:
        """The name of the function that makes a value: `make_X`, `default_X` or `power_int`."""
        shown = made.name if isinstance(made, StructType) else self.types.text(made)
        wanted = f"{kind}_{shown}"
        if wanted == MAKES_DUAL:
            return wanted
        name, count = wanted, 0
        while name in self.signatures or self.makers.get(name, (kind, made)) != (kind, made):
            count += 1
            name = f"{wanted}_{count}"
        self.makers[name] = kind, made
        return name

    def guesses(self, names: list[str]) -> list[str]:
        """Names to guess a misspelled one from; none once there are many findings."""
        return names if len(self.findings) < MANY else []

    @property
    def float_type(self) -> Scalar:
        """The scalar that `float` stands for."""
        return self.types.float_type


@dataclass(frozen=True, slots=True)
class FunctionValue:
    """A function that a name stands for: which one, and the variables that it captures.

    Their values are passed after the operands, but for the `last` ones. `arity`: how many operands
    there are, if known. `formal`: the type of the argument that a builtin is passed for.
    `body`: of a `lambda` with a name, which becomes a function where it is passed or called.
    """

    name: str
    captures: tuple[str, ...] = ()
    arity: int | None = None
    last: int = 0
    formal: surface.CallableTypeExpr | None = None
    body: surface.Lambda | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A declared name; its symbol is None when its declaration has been reported.

    A `counter` belongs to a loop, a `size` to an array: they cannot be assigned. `view`: the part
    of an array that the name stands for. `count`: of a stack, whose elements are in `symbol`.
    of an array that the name stands for.
    `captured`: a variable of the function around. `function`: an argument that is a function, or a
    function inside the function; it has no symbol.
    """

    symbol: typed.Symbol | None
    declaration: surface.Node
    counter: bool = False
    size: bool = False
    view: typed.View | typed.Index | typed.Member | None = None
    count: typed.Symbol | None = None
    captured: bool = False
    function: FunctionValue | None = None


@dataclass(slots=True)
class Slot:
    """A name that every way through an `if` assigns first: it belongs to the block around it."""

    block: dict[str, Entry]
    entry: Entry | None = None


class Scope:
    """The names that are visible, block within block."""

    def __init__(self) -> None:
        self.fence = 0  # the blocks below it are outside of the parallel loop that we are in
        self.blocks: list[dict[str, Entry]] = [{}]
        self.ended: dict[str, Span] = {}
        self.order: list[str] = []

    @contextmanager
    def block(self) -> Iterator[None]:
        """A block: its names end with it."""
        self.blocks.append({})
        yield
        for name, entry in self.blocks.pop().items():
            self.ended[name] = entry.declaration.span

    @contextmanager
    def rounds(self) -> Iterator[None]:
        """A block that is the body of a parallel loop."""
        outer, self.fence = self.fence, len(self.blocks)
        with self.block():
            yield
        self.fence = outer

    def is_shared(self, symbol: typed.Symbol) -> bool:
        """Whether a variable lies outside of the parallel loop that we are in."""
        blocks = self.blocks[: self.fence]
        return any(entry.symbol is symbol for block in blocks for entry in block.values())

    def find(self, name: str) -> Entry | None:
        """What a name means here."""
        for block in reversed(self.blocks):
            if name in block:
                return block[name]
        return None

    def names(self) -> list[str]:
        """All names that are visible."""
        return [name for block in self.blocks for name in block]

    def declare(self, name: str, entry: Entry) -> None:
        """Makes a name visible until its block ends."""
        self.blocks[-1][name] = entry
        self.order.append(name)

    def poison(self, name: str, node: surface.Node) -> None:
        """Makes a name that has been reported silent for the rest of the function."""
        self.blocks[0][name] = Entry(None, node)
