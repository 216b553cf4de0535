# ruff: noqa: UP031  (Python 3.8)
# pyright: basic
"""What a call of a backward pass needs: its arguments, those of what is called before it, and what each of them may be."""

import ast
import itertools
import re

from . import guesses

_OF_LISTS = ("stack", "vstack", "hstack", "array", "asarray", "concatenate")


class MadeArgument:
    """One argument: what it is called, in which expression it stands, and what it may be."""

    def __init__(self, name, choices, owner=None):
        self.name, self.choices, self.owner = name, choices, owner
        own = str(owner[1]) if owner else name
        self.is_state = bool(guesses.STATE.search(own)) and not guesses.WEIGHT.search(own)
        alike = guesses.BIAS.search(own) or guesses.WEIGHT.search(own) or self.is_state
        self.group = str(choices) if alike and all(how == "made" for how, _ in choices) else name


class WantedArguments:
    """The arguments of the functions of one pass. `asked` names them, `functions` are the file's, `methods` those of its class. With
    `instead_of_none` those of a class's own call are asked for, too, whose default is None and is not asked about there; with `other_way`
    those of the backward pass that are True or False by default, as the other one."""

    def __init__(self, tree, asked, instead_of_none=False, other_way=False):
        self.asked, self.instead_of_none, self.other_way = asked, instead_of_none, other_way
        self.functions = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                self.functions.setdefault(node.name, node)
        self.functions.update((n.name, n) for n in tree.body if isinstance(n, ast.FunctionDef))  # of one name the last
        self.classes = {n.name: n for n in tree.body if isinstance(n, ast.ClassDef)}
        makers = {name: self._methods_of(name).get("__init__") for name in self.classes}
        self.functions.update((name, maker) for name, maker in makers.items() if maker is not None)
        own = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == asked["owner"]]
        self.methods = {n.name: n for n in own[-1].body if isinstance(n, ast.FunctionDef)} if own else {}
        self.methods.update(_given_later(tree, asked["owner"], self.functions))
        self.items = {}  # the entries of dictionaries and objects that were found by running
        nodes = own or [self.functions[asked[k]] for k in ("forward", "backward") if asked[k] in self.functions]
        self.parts = _multiples(nodes, self.functions)
        numbers = {n.value for each in nodes for n in ast.walk(each) if isinstance(n, ast.Constant)}
        self.written = {n for n in numbers if type(n) is int and 2 < n < 1000}
        self.slots = []
        self._gather()

    def node(self, name):
        return self.methods.get(name) if self.asked["owner"] else self.functions.get(name)

    def arguments(self, node, bound=False):
        """The names without defaults, without `self` where it is a method's (`bound`, or one of the pass's own)."""
        names = [a.arg for a in node.args.posonlyargs + node.args.args]
        count = len(names) - len(node.args.defaults)
        static = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in node.decorator_list)
        first = 1 if (bound or self.asked["owner"]) and not static else 0
        keyword = [a.arg for a, d in zip(node.args.kwonlyargs, node.args.kw_defaults) if d is None]
        besides = _nothing(node) if self.instead_of_none and node is self.methods.get("__init__") else set()
        besides |= set(self.flags()) if self.other_way and node is self.node(self.asked["backward"]) else set()
        return [n for n in names[first:] if names.index(n) < count or n in besides] + keyword

    def flags(self):
        """The arguments of the backward pass that are True or False by default, with the other one, as text."""
        constants = [
            (n, v.value) for n, v in _defaults(self.node(self.asked["backward"])) if isinstance(v, ast.Constant)
        ]
        return {name: repr(not value) for name, value in constants if isinstance(value, bool)}

    def turned(self):
        """Those of them that are asked for, as they are given."""
        return ["%s=%s" % flag for flag in self.flags().items()] if self.other_way else []

    def _gather(self):
        seen = set()
        if "__init__" in self.methods:
            for name in self.arguments(self.methods["__init__"]):
                self._slot("made_" + name, name, self.methods["__init__"], maker=True)
        self.outputs = self._outputs()
        for called in (self.asked["forward"], self.asked["loss"]):
            node = self.node(called) if called else None
            for name in self.arguments(node) if node else []:
                if name not in seen and called == self.asked["loss"] and self.outputs:
                    self.slots.append(MadeArgument(name, self._after(name, node)))
                elif name not in seen:
                    self._slot(name, name, node)
                seen.add(name)
        backward = self.node(self.asked["backward"])
        flags = self.flags() if self.other_way else {}
        for name in self.arguments(backward):
            if name in flags:
                self.slots.append(MadeArgument(name, [("given", flags[name])]))
            elif name not in seen:
                self.slots.append(MadeArgument(name, self._after(name, backward)))

    def _slot(self, key, name, node, maker=False):
        used = guesses.uses(node, name, {**self.functions, **self.methods})
        for kept in guesses.kept_as(node, name):
            for method in self.methods.values():
                found = guesses.uses(method, kept, self.functions, found=used if maker else None)
                used.is_hot = used.is_hot or found.is_hot
        choices = self._kinds(name, used, node, maker)
        if not choices and used.called:
            raise ValueError("%s is a function or an object that is called" % name)
        self._entries(key, used, node)
        self.slots.append(MadeArgument(key, choices))

    def _kinds(self, name, used, node, maker=False):
        """What may be made up for an argument: where methods of it are called that are a class's of the file, an object of each such class,
        else an array or a number."""
        wanted = guesses.own_methods(used)
        found = [n for n in self.classes if n != self.asked["owner"] and wanted <= set(self._methods_of(n))]
        for each in found if wanted else ():
            for argument in self.made_with(each):
                if all(s.name != object_argument(each, argument) for s in self.slots):
                    self._slot(
                        object_argument(each, argument), argument, self._methods_of(each)["__init__"], maker=True
                    )
        made = guesses.kinds(name, used, ast.get_docstring(node) or "", maker)
        return [("new", each) for each in found] if wanted and found else [("made", k) for k in made]

    def made_with(self, name):
        """What a class of the file is called with to make an object."""
        maker = self._methods_of(name).get("__init__")
        return self.arguments(maker, bound=True) if maker else []

    def _methods_of(self, name, seen=()):
        """The methods of a class of the file by their names, also those that it has from others of the file."""
        node = self.classes.get(name) if name not in seen else None
        bases = [self._methods_of(_name(base), (*seen, name)) for base in reversed(node.bases)] if node else []
        bases += [{n.name: n for n in node.body if isinstance(n, ast.FunctionDef)}] if node else []
        return {key: method for methods in bases for key, method in methods.items()}

    def _entries(self, key, used, node):
        for name in sorted(used.keys):
            self.entry(key, name)
        for name in () if used.keys else used.unpacked:
            self.entry(key, name, guesses.uses(node, name, self.functions))

    def entry(self, owner, name, used=None):
        if (owner, name) not in self.items:
            self.items[owner, name] = None
            kinds = guesses.kinds(str(name), used or guesses.Uses())
            self.slots.append(MadeArgument("%s[%r]" % (owner, name), [("made", k) for k in kinds], (owner, name)))

    def _outputs(self):
        """Expressions of what the forward pass returns, with their names."""
        node = self.node(self.asked["forward"]) if self.asked["forward"] else None
        returns = [n.value for n in ast.walk(node) if isinstance(n, ast.Return) and n.value] if node else []
        if not returns:
            return []
        value = returns[-1]
        if isinstance(value, ast.Tuple):
            return [(_name(e), "_driver_0[%d]" % k) for k, e in enumerate(value.elts)]
        return [(_name(value), "_driver_0")]

    def _after(self, name, node):
        """What an argument of the backward pass, or of a loss after the forward pass, may be: a part of what came before, dL/d(it), or made
        up."""
        used = guesses.uses(node, name, {**self.functions, **self.methods})
        named = [e for n, e in self.outputs if n == name]
        if named:
            return [("given", named[0])]
        kinds = self._kinds(name, used, node)
        if kinds and kinds[0][0] == "new":
            return kinds
        caches = re.compile(r"cache|tape|state|memor|saved|store|steps|ctx|context|trace|record|back")
        if guesses.is_gradient(name) and self.outputs:
            bare = re.sub(r"^(?:d_?|grads?_?|delta_?|up_?|top_?|err(?:or)?_?)|_(?:grad|delta)$", "", name)
            same = [("up", e) for n, e in self.outputs if n and bare and _bare(n) == _bare(bare)]
            kind_of = [("up", e) for n, e in self.outputs if not caches.search(n)]
            # a delta of one step: that of the last; of one sample: with an axis for it
            whole = same or kind_of or [("up", e) for _, e in self.outputs]
            parts = [("up", e + part) for part in ("[-1]", "[:, -1]", "[None]") for _, e in whole]
            return [*whole, *parts]
        given = [
            ("given", e)
            for n, e in reversed(self.outputs)
            if caches.search(n) == caches.search(name) or caches.search(n)
        ]
        rest = [("given", e) for _, e in reversed(self.outputs) if ("given", e) not in given]
        whole = [("given", "_driver_0")] if self.asked["forward"] else []
        if guesses.TARGET.search(name):
            like = [("like", e) for _, e in self.outputs]
            return [*like, *kinds]
        found = (
            [*given, *rest, *whole]
            if caches.search(name) or not kinds or kinds[0][1] in ("dict", "seq", "object")
            else [*rest, *given, *whole]
        )
        self._entries(name, used, node)
        return list(dict.fromkeys([*found, *kinds]))


def object_argument(name, argument):
    """What the value is called with which an object of a class is made."""
    return "%s(%s)" % (name, argument)


def _defaults(node):
    """The arguments of a function that have a default, each with that."""
    names = [a.arg for a in node.args.posonlyargs + node.args.args]
    return list(zip(names[len(names) - len(node.args.defaults) :], node.args.defaults))


def _nothing(node):
    """The arguments whose default is None, and of which a function does not ask whether they are."""
    empty = {name for name, value in _defaults(node) if isinstance(value, ast.Constant) and value.value is None}
    tests = [n.test for n in ast.walk(node) if isinstance(n, (ast.If, ast.IfExp))]
    tests += [n for n in ast.walk(node) if isinstance(n, (ast.Compare, ast.BoolOp))]
    return empty - {n.id for test in tests for n in ast.walk(test) if isinstance(n, ast.Name)}


def _given_later(tree, owner, functions):
    """The functions that a class is given below it: `Network.backward = backward`."""
    pairs = [(n.targets[0], n.value) for n in tree.body if isinstance(n, ast.Assign) and owner]
    return {
        target.attr: functions[_name(value)]
        for target, value in pairs
        if isinstance(target, ast.Attribute) and _name(target.value) == owner and _name(value) in functions
    }


def _multiples(nodes, functions):
    """In how many parts axes may be cut: the whole numbers by which sizes are multiplied or divided, the largest first."""
    called = {c.func.id for n in nodes for c in ast.walk(n) if isinstance(c, ast.Call) and isinstance(c.func, ast.Name)}
    nodes = [*nodes, *(functions[name] for name in called if name in functions)]
    found = set()
    for node in itertools.chain.from_iterable(ast.walk(n) for n in nodes):
        if isinstance(node, ast.Slice) and node.upper is None and node.lower is not None:
            found.update(k + 1 for k in _factors(node.lower))
        elif isinstance(node, ast.Slice):
            found.update(k for part in (node.lower, node.upper) if part is not None for k in _factors(part))
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.FloorDiv):
            found.update(_factors(node))
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in (
            "split",
            "array_split",
            "hsplit",
            "vsplit",
        ):
            found.update(a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, int))
    return [max(found)] if found and max(found) > 1 else [1]


def _factors(node):
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.FloorDiv)):
        sides = [s.value for s in (node.left, node.right) if isinstance(s, ast.Constant) and isinstance(s.value, int)]
        return [n for n in sides if 1 < n < 7]
    return []


def _name(node):
    """What a value is called, a list also where it is made an array of: `np.stack(states)`."""
    if isinstance(node, ast.Call) and node.args and getattr(node.func, "attr", "") in _OF_LISTS:
        return _name(node.args[0])
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _bare(name):
    return re.sub(r"[_\d]|(?:all|s|seq|out)$", "", name.lower()) or name.lower()
