"""Instances that a file asks for by name, and the methods of generic structs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from loma.frontend import surface
from loma.frontend.check.generic import Instances, Job, Template, is_template, within
from loma.frontend.check.generic_types import Bound
from loma.frontend.codes import generics as codes
from loma.frontend.methods import Methods, lifted


class GenericRequests:
    """What the definitions of a program ask for, before any function is checked."""

    def __init__(self, instances: Instances, methods: Methods) -> None:
        self.instances = instances
        self.methods = methods
        generics = instances.types.generics
        generics.made_struct = self.add_methods

    def name_all(
        self, wanted: Iterable[surface.Instance], functions: Mapping[str, surface.Function]
    ) -> dict[str, surface.Function]:
        """Makes the instances that have names; gives functions that only got another name."""
        generics = self.instances.types.generics
        for s, bound in generics.waiting:
            self.add_methods(s, bound)
        made: dict[str, surface.Function] = {}
        for d in wanted:
            if d.function in functions and not d.type_args:
                made[d.name] = _renamed(functions[d.function], d)
                self.instances.add(Job(made[d.name]))
            elif d.function in self.instances.templates or d.function in functions:
                self._named(d)
            else:
                known = (*functions, *self.instances.templates)
                self.instances.findings.append(codes.unknown_instance(d.span, d.function, known))
        return made

    def _named(self, d: surface.Instance) -> None:
        self.instances.signatures[d.name] = None
        if d.type_args:
            self.instances.explicit(d.function, d.type_args, d.span, d.name)
            return
        f = self.instances.templates[d.function].function
        names = [p.name for p in f.type_params]
        if not names:
            self.instances.findings.append(codes.in_derivative(d.span, f.name))
            return
        self.instances.findings.append(codes.undetermined(d.span, f.name, names[0], names))

    def primal(self, d: surface.Derivative) -> str | None:
        """The instance that a derivative is asked of; None once something has been reported."""
        if d.type_args:
            return self.instances.explicit(d.primal, d.type_args, d.primal_span)
        f = self.instances.templates[d.primal].function
        names = [p.name for p in f.type_params]
        if any(isinstance(a.type, surface.CallableTypeExpr) for a in f.args):
            self.instances.findings.append(codes.in_derivative(d.primal_span, f.name))
        else:
            self.instances.findings.append(
                codes.undetermined(d.primal_span, f.name, names[0], names))
        return None

    def add_methods(self, s: surface.Struct, bound: Bound) -> None:
        """The methods of an instance of a generic struct."""
        taken = (*self.instances.names, *self.instances.signatures, *self.instances.templates)
        functions, methods = lifted([s], taken, self.instances.findings)
        self.methods.table |= methods.table
        self.methods.shown |= methods.shown
        self.methods.static |= methods.static
        for f in [within(f, bound) for f in functions]:
            self.instances.names.add(f.name)
            if is_template(f):
                self.instances.templates[f.name] = Template(f, bound)
            else:
                self.instances.add(Job(f, bound))


def _renamed(f: surface.Function, d: surface.Instance) -> surface.Function:
    """The function under another name: one that calls it, so that its derivatives are the same."""
    if f.simd:
        return replace(f, name=d.name)
    args = tuple([surface.Name(a.name, span=d.span) for a in f.args])
    call = surface.Call(f.name, args, span=d.span)
    body: surface.Stmt = surface.Return(call, span=d.span)
    if f.result is None:
        body = surface.CallStmt(call, span=d.span)
    return replace(f, name=d.name, body=(body,))
