"""What a clone needs to be installable, and what must not be in it."""

import os
import re
import tomllib
from importlib.metadata import distributions

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

#: Hosts that committed text may name. None of them serves packages.
HOSTS = {
    "127.0.0.1",
    "localhost",
    "dicom.nema.org",
    "github.com",
    "json-schema.org",
    "www.apache.org",
    "www.w3.org",
    "wadl.dev.java.net",
    "arxiv.org",
    "doi.org",
    "keepachangelog.com",
    "zenodo.org",  # weights of a public model
}
RESERVED = re.compile(r"(^|\.)(test|example|invalid|localhost)$|^[a-z-]+$|^\d+\.\d+\.\d+\.\d+$")
#: In parts, so that this file does not name them.
REGISTRIES = re.compile("|".join(("py" + "thonhosted", "py" + "pi.org", "np" + "mjs", "deb" + "ian.org")))
BINARY_LIMIT = 2_000_000


def locked(root):
    lines = (root / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {name: Version(version) for name, version in pins}


def declared(root):
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    texts = [*project["dependencies"], *(text for extra in extras for text in extra)]
    return [Requirement(text) for text in texts]


def test_every_dependency_is_locked_to_a_version_that_it_allows(root):
    pins = locked(root)
    wrong = []
    for requirement in declared(root):
        pin = pins.get(canonicalize_name(requirement.name))
        if pin is None or not requirement.specifier.contains(pin, prereleases=True):
            wrong.append(f"{requirement} (locked: {pin}); run `make lock`")
    assert wrong == []


def test_what_is_installed_is_what_is_locked(root):
    pins = locked(root)
    installed = {canonicalize_name(d.metadata["Name"]): Version(d.version) for d in distributions()}
    other = {
        name: f"{installed[name]} installed, {pin} locked"
        for name, pin in pins.items()
        # torch may be chosen: README.md
        if name in installed and name != "torch" and Version(installed[name].public) != pin
    }
    assert other == {}


def test_no_package_registry_is_named(committed):
    found = [name for name, text in committed.items() if REGISTRIES.search(text)]
    assert found == []


def test_urls_name_known_hosts_only(committed):
    found = {}
    for name, text in committed.items():
        for host in re.findall(r"https?://([A-Za-z0-9.-]+)", text):
            if host.lower() not in HOSTS and not RESERVED.search(host.lower()):
                found.setdefault(name, set()).add(host)
    assert found == {}


def test_programs_are_executable(root):
    programs = [*(root / "scripts").glob("*.sh"), root / ".ci" / "run"]
    assert programs
    assert [str(path) for path in programs if not os.access(path, os.X_OK)] == []


def test_no_large_file_is_committed(root, committed):
    large = {name: (root / name).stat().st_size for name in committed}
    assert {name: size for name, size in large.items() if size > BINARY_LIMIT} == {}


def test_the_five_packages_are_ours(root):
    """Their names are generic: another distribution may ship one of the same name."""
    import importlib.util

    for name in ("dicom_node", "dicomweb", "inference", "anonymizer", "viewer"):
        spec = importlib.util.find_spec(name)
        assert spec.origin == str(root / name / "__init__.py")


def test_tests_are_no_package(root):
    assert list((root / "tests").rglob("__init__.py")) == []
