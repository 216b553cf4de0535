# ruff: noqa: RUF005  (Python 3.8, and few calls where every operation passes)
# pyright: basic, reportArgumentType=false, reportAssignmentType=false, reportAttributeAccessIssue=false
"""A user's source, rewritten so that arrays become traced where they first appear, and that it is known what is
assigned where.

The program does what it did; each place that is watched is a site: its file, line, kind and text.

Kinds of sites: assign, step (after an augmented assignment, or after the loop that fills a list), increment (what was
added), return, append, argument (an array handed to a call that stands alone, which may have written into it).
"""

import ast
import builtins
import os

EVENT, LEAF, CAST, AFTER, BASE, KEY = (
    "__rt_event__",
    "__rt_leaf__",
    "__rt_cast__",
    "__rt_after__",
    "_rt_base_",
    "_rt_key_",
)
LISTED, SHAPED, FILLED = "__rt_listed__", "__rt_shaped__", "__rt_filled__"
DOTTED, BY_TYPE, SUMMED = "__rt_dotted__", "__rt_by_type__", "__rt_summed__"
BEGINS, ENDS = "__rt_begins__", "__rt_ends__"
DRIVEN = "_driver_"
"""So begin the names of helpers of the text that calls functions: they are no part of the program."""
_OF_ARRAYS = {
    "abs",
    "absolute",
    "add",
    "amax",
    "amin",
    "average",
    "clip",
    "cosh",
    "cumprod",
    "cumsum",
    "diag",
    "divide",
    "dot",
    "exp",
    "expm1",
    "inner",
    "log",
    "log10",
    "log1p",
    "log2",
    "matmul",
    "max",
    "maximum",
    "mean",
    "median",
    "min",
    "minimum",
    "multiply",
    "nan_to_num",
    "nanmean",
    "nansum",
    "negative",
    "norm",
    "outer",
    "power",
    "prod",
    "ptp",
    "ravel",
    "repeat",
    "reshape",
    "sign",
    "sinh",
    "sqrt",
    "square",
    "squeeze",
    "std",
    "subtract",
    "sum",
    "swapaxes",
    "tanh",
    "tile",
    "transpose",
    "true_divide",
    "var",
    "vdot",
}
"""Functions of NumPy's that make an array of their first argument: of a list without telling the arrays in it."""
_MAY_BE_LISTS = (ast.Name, ast.Attribute, ast.Subscript, ast.List, ast.ListComp, ast.Tuple)
_CASTS = {"float", "float64", "float32", "float_", "double", "single", "longdouble"}
_NOTHING_NEW = {
    "len",
    "range",
    "print",
    "isinstance",
    "enumerate",
    "zip",
    "int",
    "str",
    "bool",
    "super",
    "type",
    "id",
    "hasattr",
    "getattr",
    "setattr",
    "dict",
    "set",
    "repr",
    "sorted",
    "reversed",
    "open",
    "iter",
    "next",
    "locals",
    "globals",
    "vars",
    "input",
    "format",
    "dir",
    "chr",
    "ord",
    "callable",
    "issubclass",
    "property",
    "staticmethod",
    "classmethod",
    "map",
    "filter",
    "any",
    "all",
}


class WatchedSite:
    __slots__ = ("file", "function", "kind", "line", "names", "target", "text", "value")

    def __init__(self, file, line, kind, target, function, text, names, value):
        self.file, self.line, self.kind, self.target = file, line, kind, target
        self.function, self.text, self.names, self.value = function, text, names, value

    def row(self):
        return [self.file, self.line, self.kind, self.target, self.function, self.text, self.names, self.value]


class Rewriter(ast.NodeTransformer):
    """Rewrites one module. `sites` is shared by all modules of a run. What is made says where it stands: to look for what does not takes as
    long as all else."""

    def __init__(self, text, file, sites):
        self.lines = text.splitlines()
        self.text = text
        self.file = file
        self.sites = sites
        self.numbers = []
        self.keeps = False
        """Whether what is made of statements is kept for other texts."""
        self.functions = []
        self.loops = 0
        self.temporary = 0

    # Helpers

    def segment(self, node):
        if hasattr(ast, "unparse"):
            return ast.unparse(node)
        return ast.get_source_segment(self.text, node) or ""

    def site(self, node, kind, target, names=(), value=None):
        line = self.lines[node.lineno - 1].strip() if node.lineno <= len(self.lines) else ""
        text = "" if value is None else self.segment(value)
        self.sites.append(
            WatchedSite(self.file, node.lineno, kind, target, ".".join(self.functions), line, list(names), text)
        )
        number = ast.Constant(len(self.sites) - 1, kind=None)
        self.numbers.append(number)
        return number

    def call(self, name, arguments, where):
        function = ast.Name(name, ast.Load())
        for made in (function, *arguments):
            if not hasattr(made, "lineno"):
                ast.copy_location(made, where)
        return ast.copy_location(ast.Call(function, arguments, []), where)

    def event(self, value, kind, target, node, names=(), entry=None):
        number = self.site(node, kind, target, names, value)
        return self.call(EVENT, [self.visit(value), number] + ([] if entry is None else [entry]), value)

    def entry(self, target):
        """What an entry is called whose key is put together of texts, as in `W['x' + gate]`: an expression; None for all else."""
        key = getattr(target.slice, "value", target.slice) if type(target) is ast.Subscript else None
        if not isinstance(key, (ast.BinOp, ast.JoinedStr)) or not any(map(_is_text, ast.walk(key))):
            return None
        if any(isinstance(n, ast.Call) and not _is_str(n) for n in ast.walk(key)):
            return None
        pattern = ast.Constant(self.segment(target.value).replace("%", "%%") + "[%r]", kind=None)
        parts = [ast.copy_location(each, target) for each in (pattern, ast.Tuple([self.reading(key)], ast.Load()))]
        return ast.copy_location(ast.BinOp(parts[0], ast.Mod(), parts[1]), target)

    def attribute(self, call):
        """What an attribute is called that `setattr(self, 'W_' + gate, value)` sets: an expression; None for all else."""
        if not isinstance(call.func, ast.Name) or call.func.id != "setattr" or len(call.args) != 3 or call.keywords:
            return None
        of, name, _ = call.args
        inner = [n for part in (of, name) for n in ast.walk(part) if not isinstance(n, ast.Call) or not _is_str(n)]
        if any(isinstance(n, (ast.Call, ast.Starred, ast.NamedExpr)) for n in inner):
            return None
        pattern = ast.Constant(self.segment(of).replace("%", "%%") + ".%s", kind=None)
        parts = [ast.copy_location(each, call) for each in (pattern, ast.Tuple([self.reading(name)], ast.Load()))]
        return ast.copy_location(ast.BinOp(parts[0], ast.Mod(), parts[1]), call)

    def place(self, node):
        """What tells a statement from others: where it stands, in what, and its lines."""
        begin = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
        around = (self.file, *self.functions, self.loops > 0)
        return (
            around,
            node.lineno,
            node.col_offset,
            node.end_col_offset,
            tuple(self.lines[begin - 1 : node.end_lineno]),
        )

    def visit(self, node):
        """What stands in the place of a node: of a statement that was rewritten beforehand, in whatever it stands, what was made of it."""
        if not isinstance(node, ast.stmt):
            return super().visit(node)
        if not self.is_unfollowed(node):
            return self.visited(node)
        made = self.visited(node)
        begins, ends = (ast.Expr(ast.Call(ast.Name(each, ast.Load()), [], [])) for each in (BEGINS, ENDS))
        whole = [begins, ast.Try(made if isinstance(made, list) else [made], [], [], [ends])]
        for inner in (each for part in whole for each in ast.walk(part)):
            if not hasattr(inner, "lineno"):
                ast.copy_location(inner, node)
        return whole

    def visited(self, node):
        """The same, recorded."""
        place = self.place(node) if _KNOWN or self.keeps else None
        if place in _KNOWN:
            made, sites, numbers, first = _KNOWN[place]
            for number in numbers:
                number.value += len(self.sites) - first
            self.sites += sites
            self.numbers += numbers
            return made
        first, before = len(self.sites), len(self.numbers)
        made = super().visit(node)
        if self.keeps:
            _KNOWN[place] = made, self.sites[first:], self.numbers[before:], first
        return made

    def is_unfollowed(self, node):
        """Whether a statement is run without being recorded."""
        texts = UNFOLLOWED.get(os.path.normpath(self.file))
        if not texts or not isinstance(node, _WITH_A_VALUE) or node.value is None:
            return False
        if any(isinstance(n, (ast.Yield, ast.YieldFrom, ast.Await)) for n in ast.walk(node.value)):
            return False
        return any(line.strip() in texts for line in self.lines[node.lineno - 1 : node.end_lineno])

    def statement(self, node):
        """The statements that stand in the place of one of the module."""
        made = self.visit(node)
        return made if isinstance(made, list) else [made]

    # Statements

    def visit_FunctionDef(self, node):
        if node.name.startswith(DRIVEN):
            return node
        self.functions.append(node.name)
        loops, self.loops = self.loops, 0
        self.generic_visit(node)
        self.loops = loops
        self.functions.pop()
        return node

    visit_AsyncFunctionDef = visit_FunctionDef
    visit_ClassDef = visit_FunctionDef

    def visit_Assign(self, node):
        target = node.targets[-1]
        if isinstance(target, ast.Attribute) and target.attr == "shape" and len(node.targets) == 1:
            call = self.call(SHAPED, [self.visit(_loaded(target.value)), self.visit(node.value)], node)
            return ast.copy_location(ast.Expr(call), node)
        names = [self.segment(e) for e in target.elts] if isinstance(target, (ast.Tuple, ast.List)) else ()
        if names and isinstance(node.value, ast.Tuple) and len(node.value.elts) == len(names):
            elements = [self.event(v, "assign", n, node) for v, n in zip(node.value.elts, names)]
            node.value = ast.copy_location(ast.Tuple(elements, ast.Load()), node.value)
        else:
            node.value = self.event(node.value, "assign", self.segment(target), node, names, self.entry(target))
        node.targets = [self.visit(t) for t in node.targets]
        return node

    def visit_AnnAssign(self, node):
        if node.value is not None:
            node.value = self.event(node.value, "assign", self.segment(node.target), node)
        return node

    def visit_For(self, node):
        """After a loop, the lists that it filled are seen as a whole."""
        filled = [] if self.loops else _filled(node)
        self.loops += 1
        self.generic_visit(node)
        self.loops -= 1
        after = []
        for statement, target in filled:
            arguments = [self.reading(target), self.site(statement, "step", self.segment(target))]
            after.append(ast.copy_location(ast.Expr(self.call(FILLED, arguments, statement)), statement))
        return [node, *after]

    visit_While = visit_For

    def visit_AugAssign(self, node):
        text = self.segment(node.target)
        before = []
        if isinstance(node.target, (ast.Subscript, ast.Attribute)):
            before = self.hoisted(node.target)
        value = self.event(node.value, "increment", text, node)
        node.value = value
        read = self.reading(node.target)
        after = ast.Expr(self.call(AFTER, [read, self.site(node, "step", text)], node))
        return before + [node, ast.copy_location(after, node)]

    def hoisted(self, target):
        """The parts of a target that may not be evaluated twice get names of their own."""
        before = []
        self.temporary += 1
        parts = [("value", BASE)] + ([("slice", KEY)] if isinstance(target, ast.Subscript) else [])
        for field, prefix in parts:
            part = getattr(target, field)
            if field == "slice" and not isinstance(part, (ast.Call, ast.Tuple, ast.BinOp, ast.Subscript)):
                part = part.value if type(part).__name__ == "Index" and isinstance(part.value, ast.Call) else None
            if part is None or not any(isinstance(n, ast.Call) for n in ast.walk(part)):
                continue
            if any(isinstance(n, ast.Slice) for n in ast.walk(part)):
                continue
            name = prefix + str(self.temporary)
            stored = ast.copy_location(ast.Name(name, ast.Store()), target)
            made = ast.Assign([stored], self.visit(part), lineno=target.lineno)
            before.append(ast.copy_location(made, target))
            replacement = ast.copy_location(ast.Name(name, ast.Load()), part)
            setattr(target, field, replacement)
        return before

    def reading(self, target):
        """The same target, read."""
        copied = ast.parse(self.segment(target), mode="eval").body
        for inner in ast.walk(copied):
            ast.copy_location(inner, target)
        return copied

    def visit_Expr(self, node):
        value = node.value
        if not isinstance(value, ast.Call):
            self.generic_visit(node)
            return node
        if _appends(value):
            *others, last = value.args
            value.args = [
                *[self.visit(o) for o in others],
                self.event(last, "append", self.segment(value.func.value), node),
            ]
            return node
        entry = self.attribute(value)
        if entry is not None:
            of, name, made = value.args
            value.args = [
                self.visit(of),
                self.visit(name),
                self.event(made, "assign", self.segment(of), node, entry=entry),
            ]
            return node
        first = next((a for a in value.args if isinstance(a, (ast.Name, ast.Attribute, ast.Subscript))), None)
        if first is None or any(isinstance(n, (ast.Call, ast.Starred)) for n in ast.walk(first)):
            self.generic_visit(node)
            return node
        text, read = self.segment(first), self.reading(first)
        name = value.func.id if isinstance(value.func, ast.Name) else getattr(value.func, "attr", "")
        self.generic_visit(node)
        if name in _NOTHING_NEW:
            return node
        after = ast.Expr(self.call(AFTER, [read, self.site(node, "argument", text)], node))
        return [node, ast.copy_location(after, node)]

    def visit_Return(self, node):
        if node.value is None:
            return node
        names = [self.segment(e) for e in node.value.elts] if isinstance(node.value, ast.Tuple) else ()
        node.value = self.event(node.value, "return", "" if names else self.segment(node.value), node, names)
        return node

    # Expressions

    def visit_Call(self, node):
        self.generic_visit(node)
        function = node.func
        name = (
            function.id
            if isinstance(function, ast.Name)
            else function.attr
            if isinstance(function, ast.Attribute)
            else ""
        )
        of = function.value if isinstance(function, ast.Attribute) else None
        if isinstance(of, ast.Attribute) and of.attr == "ndarray":
            node.func, node.args = ast.copy_location(ast.Name(BY_TYPE, ast.Load()), function), [function, *node.args]
            return self.call(LEAF, [node], node)
        if name == "dot" and of is not None and len(node.args) == 1 and not node.keywords:
            return self.call(LEAF, [self.call(DOTTED, [of, node.args[0]], node)], node)
        is_sum = name == "sum" and of is None and len(node.args) == 1 and not node.keywords
        if is_sum and not isinstance(node.args[0], (ast.GeneratorExp, ast.Starred)):
            return self.call(LEAF, [self.call(SUMMED, [function, node.args[0]], node)], node)
        root = _root(function) if name in _OF_ARRAYS else None
        if root is not None and node.args and isinstance(node.args[0], _MAY_BE_LISTS):
            node.args[0] = self.call(LISTED, [ast.copy_location(root, node), node.args[0]], node)
        if name in _CASTS and len(node.args) == 1 and not isinstance(node.args[0], ast.Starred) and not node.keywords:
            return self.call(CAST, [function, node.args[0]], node)
        if name in _NOTHING_NEW and isinstance(function, ast.Name) and hasattr(builtins, name):
            return node
        return self.call(LEAF, [node], node)

    def visit_JoinedStr(self, node):
        return node


def _is_text(node):
    """Whether a text is written here."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_str(call):
    """Whether a call makes a text of something."""
    return getattr(call.func, "id", "") == "str"


def _appends(call):
    """Whether a call puts something into a list."""
    return (
        isinstance(call.func, ast.Attribute)
        and call.func.attr in ("append", "insert", "appendleft")
        and bool(call.args)
    )


def _filled(loop):
    """What a loop appends to, or assigns entries of, and does not make, each with the first statement that does it."""
    found, made = {}, set()
    for node in ast.walk(loop):
        target = None
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _appends(node.value):
            target = node.value.func.value
        elif isinstance(node, (ast.Assign, ast.AugAssign)):
            stored = node.targets[0] if isinstance(node, ast.Assign) else node.target
            target = stored.value if isinstance(stored, ast.Subscript) else None
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            made.add(node.id)
        while isinstance(target, ast.Subscript):
            target = target.value
        if isinstance(target, (ast.Name, ast.Attribute)):
            found.setdefault(ast.dump(target), (node, target))
    roots = {key: _root(target) for key, (_, target) in found.items()}
    kept = [found[key] for key, root in roots.items() if root is not None and root.id not in made]
    return sorted(kept, key=lambda pair: pair[0].lineno)


def _loaded(node):
    """What an attribute is set of is read."""
    node.ctx = ast.Load()
    return node


def _root(function):
    """The name that a function is reached by: `np` of np.linalg.norm."""
    while isinstance(function, ast.Attribute):
        function = function.value
    return ast.Name(function.id, ast.Load()) if isinstance(function, ast.Name) else None


_WITH_A_VALUE = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.Return)
UNFOLLOWED = {}
"""By a file's path, the texts of lines whose statements are run without being recorded."""
_KNOWN = {}
"""What was made of statements beforehand, with their sites, the numbers of these in the tree, and the first of them."""


def know(text, file):
    """Rewrites a module's statements beforehand: copies of this process, which run its text with some of it changed, rewrite the rest."""
    rewriter = Rewriter(text, file, [])
    rewriter.keeps = True
    for statement in ast.parse(text, file).body:
        rewriter.visit(statement)


def rewritten(text, file, sites):
    """The rewritten tree of a module."""
    rewriter, tree = Rewriter(text, file, sites), ast.parse(text, file)
    head, body = [], tree.body
    while body and (
        (isinstance(body[0], ast.ImportFrom) and body[0].module == "__future__")
        or (isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant))
    ):
        head.append(body[0])
        body = body[1:]
    tree.body = head
    for statement in body:
        tree.body += rewriter.statement(statement)
    return tree
