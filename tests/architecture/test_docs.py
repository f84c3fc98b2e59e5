"""Documentation and code say the same: settings, commands, options, links."""

import json
import re
import typing
from pathlib import Path

import pytest
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from typer.main import get_command

from anonymizer.eligibility import WAIVABLE
from dicom_node.cli.main import app
from dicom_node.settings import Settings, load_settings

#: Described once, at the head of docs/commands.md.
SHARED_OPTIONS = {"help", "config", "as_json", "url"}
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def settings_of(model, prefix=""):
    """(name, field) of every setting; `[]` marks lists of sections."""
    for name, field in model.model_fields.items():
        section, mark = _section(field.annotation)
        if section is None:
            yield f"{prefix}{name}", field
        else:
            yield from settings_of(section, f"{prefix}{name}{mark}.")


def _section(annotation):
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, ""
    inner = [
        arg for arg in typing.get_args(annotation) if isinstance(arg, type) and issubclass(arg, BaseModel)
    ]
    mark = "[]" if typing.get_origin(annotation) is tuple else ""
    return (inner[0], mark) if inner else (None, "")


def written(default):
    """A default as the documentation writes it."""
    if default is PydanticUndefined:
        return ""
    return str(default) if isinstance(default, str | Path) else json.dumps(default)


def documented_settings(root):
    text = (root / "docs" / "configuration.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z_.\[\]]+)` \| (?:`(.*?)`)? ?\| (.+?) \|$", text, re.MULTILINE)
    return {name: (default, meaning) for name, default, meaning in rows}


def test_every_setting_is_documented_with_its_default(root):
    documented = documented_settings(root)
    wrong = {}
    for name, field in settings_of(Settings):
        default, meaning = documented.get(name, (None, ""))
        if default != written(field.default) or not meaning:
            wrong[name] = f"documented default {default!r}, in the code {written(field.default)!r}"
    assert wrong == {}


def test_no_documented_setting_is_gone(root):
    assert set(documented_settings(root)) - {name for name, _ in settings_of(Settings)} == set()


def yaml_blocks(root):
    for path in [*(root / "docs").glob("*.md"), root / "README.md"]:
        for block in re.findall(
            r"^ *```yaml\n(.*?)^ *```", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
        ):
            yield path.name, block


def test_documented_configuration_files_are_valid(root, tmp_path):
    found = list(yaml_blocks(root))
    assert found
    for name, block in found:
        indent = len(block) - len(block.lstrip(" "))
        path = tmp_path / "node.yaml"
        path.write_text("\n".join(line[indent:] for line in block.splitlines()), encoding="utf-8")
        assert load_settings(path), name


def commands_of(command, path=()):
    """(words, command) of every command that does something."""
    nested = getattr(command, "commands", None)
    if nested is None:
        yield path, command
        return
    for name, sub in nested.items():
        yield from commands_of(sub, (*path, name))


def command_sections(root):
    text = (root / "docs" / "commands.md").read_text(encoding="utf-8")
    parts = re.split(r"^## `dicom-node ([a-z ]+)`$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_command_and_option_is_documented(root):
    sections = command_sections(root)
    missing = []
    for words, command in commands_of(get_command(app)):
        name = " ".join(words)
        if name not in sections:
            missing.append(name)
            continue
        for parameter in command.params:
            if parameter.param_type_name != "option" or parameter.name in SHARED_OPTIONS:
                continue
            shown = max(parameter.opts, key=len)
            if f"`{shown}" not in sections[name]:
                missing.append(f"{name}: {shown}")
    assert missing == []


def test_no_documented_command_is_gone(root):
    known = {" ".join(words) for words, _ in commands_of(get_command(app))}
    assert set(command_sections(root)) - known == set()


def test_commands_in_documents_exist(committed):
    known = {words[: i + 1] for words, _ in commands_of(get_command(app)) for i in range(len(words))}
    unknown = {}
    for name, text in committed.items():
        if not name.endswith(".md"):
            continue
        for words in re.findall(r"dicom-node ((?:[a-z]+ ?){1,2})", " ".join(re.findall(r"`[^`]+`", text))):
            first, *rest = words.split()
            if (first,) not in known or (
                rest and any(len(k) == 2 and k[0] == first for k in known) and (first, rest[0]) not in known
            ):
                unknown.setdefault(name, set()).add(words)
    assert unknown == {}


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md", "orthanc/README.md"])
def test_document_is_there(name, committed):
    assert name in committed


def test_links_lead_somewhere(root, committed):
    broken = {}
    for name, text in committed.items():
        if not name.endswith(".md"):
            continue
        for target in LINK.findall(text):
            if re.match(r"[a-z]+:|#", target):
                continue
            if not (root / name).parent.joinpath(target.partition("#")[0]).exists():
                broken.setdefault(name, set()).add(target)
    assert broken == {}


def test_make_targets_in_documents_exist(root, committed):
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    known = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = {
        target
        for name, text in committed.items()
        if name.endswith((".md", ".py"))
        for target in re.findall(r"`make ([a-z-]+)", text)
    }
    assert named - known == set()


def test_readme_says_research_use_only(committed):
    assert "research use" in committed["README.md"].lower()


def http_routes():
    """(method, path) of every route, from the application as the node builds it; no part of it is called."""
    from dicom_node.app.http import create_http_app
    from dicom_node.observability.metrics import PrometheusMetrics
    from dicomweb.app import create_router
    from viewer.api.single_image import ImageLimits
    from viewer.app import install
    from viewer.node_info import NodeInfo

    def install_viewer(http):
        info = NodeInfo(
            site="", version="0", ae_title="A", dimse_host="127.0.0.1", dimse_port=lambda: 0, models=()
        )
        install(
            http,
            index=None,
            pseudonymizer=None,
            audit=None,
            receiver=None,
            review=None,
            complete=None,
            pulls=object(),
            deliveries=object(),
            notifier=object(),
            ledger=object(),
            reconciliation=object(),
            single_images=(object(), ImageLimits()),
            ohif_dir=None,
            node_info=info,
        )

    metrics = PrometheusMetrics()
    dicomweb = create_router(
        receiver=None,
        catalog=None,
        open_blob=None,
        metrics=metrics,
        max_upload_bytes=1,
        service_name="DICOM-Node",
    )
    http = create_http_app(
        dicomweb_router=dicomweb, install_viewer=install_viewer, metrics=metrics, readiness=(), version="0"
    )
    return {
        (method, route.path.rstrip("/") or "/")
        for route in iter_route_contexts(http.routes)
        if route.name != "elsewhere"  # answers where there is no resource or no such method
        for method in (route.methods or {"GET"}) - {"HEAD"}
    }


def test_every_route_is_documented(root):
    text = (root / "docs" / "http.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| (GET|POST|PUT|DELETE|PATCH) \| `(\S+?)`", text, re.MULTILINE))
    tails = ("/metadata", "/rendered", "/thumbnail", "/bulkdata", "/pixeldata")
    missing = []
    for method, path in sorted(http_routes()):
        below = path.removeprefix("/dicom-web")
        if below != path and (below.endswith(tails) or "/frames/" in below or "/bulkdata/" in below):
            last = next(part for part in ("/frames/", "/bulkdata/", *tails) if part in below)
            if last.rstrip("/") not in text:
                missing.append(path)
        elif (method, below) not in documented:
            missing.append(f"{method} {path}")
    assert missing == []


def test_no_documented_route_is_gone(root):
    text = (root / "docs" / "http.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| (GET|POST|PUT|DELETE|PATCH) \| `(/\S*?)`", text, re.MULTILINE))
    known = {(method, path.removeprefix("/dicom-web")) for method, path in http_routes()}
    assert documented - known == set()


def test_rules_that_a_person_can_answer_for_are_documented(root):
    text = (root / "docs" / "de-identification.md").read_text(encoding="utf-8")
    answered = re.search(r"A look can answer what is seen or read: (.*?)\. All", text, re.DOTALL)
    assert set(re.findall(r"`([a-z-]+)`", answered[1])) == WAIVABLE
