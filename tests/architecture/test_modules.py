"""The size and shape of modules."""

import ast
import re

LIMIT = 300
#: Tests are read one by one, benchmarks from top to bottom.
OUTSIDE_LIMIT = 400
OUTSIDE = ("tests/", "benchmarks/")
GENERATED = re.compile(r"(^|/)_standard/|/migrations/versions/")
VAGUE = re.compile(r"(^|_)(utils?|common|helpers?|manager|misc)(_|$)")


def test_modules_stay_under_the_limit(committed):
    long = {
        name: text.count("\n")
        for name, text in committed.items()
        if name.endswith(".py")
        and text.count("\n") > (OUTSIDE_LIMIT if name.startswith(OUTSIDE) else LIMIT)
        and not GENERATED.search(name)
    }
    assert long == {}


def test_names_of_modules_say_what_is_in_them(modules):
    vague = [
        name for name in modules if any(VAGUE.search(part.removesuffix(".py")) for part in name.split("/"))
    ]
    assert vague == []


def test_every_module_and_public_class_and_function_has_a_docstring(modules):
    without = []
    for name, tree in modules.items():
        if not ast.get_docstring(tree):
            without.append(name)
        without += [
            f"{name}: {node.name}"
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            and not node.name.startswith("_")
            and not ast.get_docstring(node)
        ]
    assert without == []


def test_nothing_is_left_open(committed, modules):
    # In two parts, so that this file does not find itself.
    marks = re.compile("TO" + "DO|FIX" + "ME|not implemented" + " yet")
    code = (".py", ".js", ".html", ".css", ".sh", ".lua", ".yaml", ".json", ".toml")
    left = [name for name, text in committed.items() if name.endswith(code) and marks.search(text)]
    stubs = [
        f"{name}:{node.lineno}"
        for name, tree in modules.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise)
        and "NotImplementedError" in {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    ]
    assert left + stubs == []


def test_no_program_text_is_suppressed_as_a_whole(committed):
    """`noqa` and `type: ignore` name their rule."""
    bare = re.compile(r"#\s*noqa(?!:)|#\s*type:\s*ignore(?!\[)|ruff:\s*noqa(?!:)")
    found = [
        name
        for name, text in committed.items()
        if name.endswith(".py") and name != "tests/architecture/test_modules.py" and bare.search(text)
    ]
    assert found == []
