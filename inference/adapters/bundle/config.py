"""Makes a bundle's components of its configuration. Its expressions run here: only for trusted bundles."""

from __future__ import annotations

import contextlib
import re
import sys
import warnings
from typing import TYPE_CHECKING, Any

import torch
from monai.bundle import ConfigParser
from monai.inferers import SimpleInferer
from monai.transforms import Compose

from dicom_node.domain.errors import InvalidModelPackage
from inference.adapters.bundle.given import Given
from inference.adapters.bundle.layout import read_config
from inference.adapters.bundle.older import modernised

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from inference.adapters.bundle.layout import BundleLayout

#: Components that write files: results go to the node instead.
WRITERS = re.compile(r"^(?:Save|Write)\w*$|Saver\w*$|Writer\w*$")
#: Transforms that load a file, and the arguments of theirs that `Given` takes.
LOADERS = frozenset({"LoadImaged", "LoadImageD", "LoadImageDict"})
GIVEN = f"{Given.__module__}.{Given.__qualname__}"
GIVEN_KEYS = frozenset(
    {
        "_disabled_",
        "_requires_",
        "keys",
        "image_only",
        "ensure_channel_first",
        "meta_key_postfix",
        "allow_missing_keys",
    }
)
CHECKPOINT_LOADER = "CheckpointLoader"
SEPARATOR = "::"


class BundleConfig:
    """A bundle's configuration, whose components are made when they are asked for.

    Parameters
    ----------
    device
        `cpu` or `cuda`, whatever the bundle itself would choose.

    Raises
    ------
    InvalidModelPackage
        If its files cannot be read.
    """

    def __init__(self, layout: BundleLayout, device: str) -> None:
        self._root = layout.root.resolve()
        content: dict[str, Any] = {}
        for path in layout.configs:
            content |= _merged(content, modernised(read_config(path)))
        if "bundle_root" in content or not content:
            content["bundle_root"] = str(self._root)
        content["device"] = f"$torch.device('{device}')"
        content["_meta_"] = dict(layout.metadata)
        _tame(content)
        self._content = content
        self._parser = ConfigParser(content)
        if str(self._root) not in sys.path:
            # A bundle's own modules (`scripts`) lie in its folder; after ours, so that they replace none.
            sys.path.append(str(self._root))

    def __contains__(self, identifier: str) -> bool:
        return identifier in self._parser

    def made(self, identifier: str, default: Any = None) -> Any:
        """A component or value of the configuration, or `default` where it has none of this name.

        Raises
        ------
        InvalidModelPackage
            If it cannot be made; the message says which and by which kind of error.
        """
        if identifier not in self._parser:
            return default
        try:
            with contextlib.chdir(self._root), warnings.catch_warnings():
                # What foreign code is warned of is its author's to mend.
                warnings.simplefilter("ignore")
                return self._parser.get_parsed_content(identifier)
        except Exception as exc:  # it is foreign code, which may raise anything
            raise InvalidModelPackage(
                f"bundle: {identifier.replace(SEPARATOR, '.')} cannot be made ({_named(exc)})"
            ) from exc

    def network(self) -> torch.nn.Module | None:
        """The network, where the configuration describes one."""
        found = self.made("network", self.made("network_def"))
        if found is not None and not isinstance(found, torch.nn.Module):
            raise InvalidModelPackage(f"bundle: network is a {type(found).__name__}, no torch module")
        return found

    def inferer(self) -> Callable[..., Any]:
        """How the network is called: the bundle's, or plainly."""
        self.made(f"evaluator{SEPARATOR}_requires_")
        found: Callable[..., Any] = self.made("inferer") or SimpleInferer()
        return found

    def transforms(self, identifier: str) -> Compose:
        """`preprocessing` or `postprocessing`; empty where there is none."""
        found = self.made(identifier)
        compose = found if isinstance(found, Compose) else Compose([] if found is None else found)
        compose.transforms = tuple(t for t in compose.transforms if not WRITERS.search(type(t).__name__))
        for transform in compose.transforms:
            if type(transform).__name__.startswith("LoadImage"):
                raise InvalidModelPackage(
                    f"bundle: {identifier} loads its file in a way that the node cannot feed"
                    f" ({type(transform).__name__}); write it as a component LoadImaged"
                )
        return compose

    def checkpoint_loaders(self) -> Iterator[str]:
        """Identifiers of the components that load weights and are not switched off."""
        for identifier in _loaders(self._content, ""):
            if not self.made(f"{identifier}{SEPARATOR}_disabled_", default=False):
                yield identifier


def _merged(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """What a further file changes; a key with + adds to a list or a mapping of the earlier file."""
    return {key.removeprefix("+"): _added(before, key, value) for key, value in after.items()}


def _added(before: dict[str, Any], key: str, value: Any) -> Any:
    old: Any = before.get(key[1:]) if key.startswith("+") else None
    if isinstance(old, list) and isinstance(value, list):
        return old + value
    if isinstance(old, dict) and isinstance(value, dict):
        return old | value
    return value


def _tame(config: Any) -> None:
    """Switch off what reads and writes files, and what would download weights."""
    if isinstance(config, list):
        for item in config:
            _tame(item)
    elif isinstance(config, dict):
        target = config.get("_target_")
        if isinstance(target, str):
            if WRITERS.search(target.rpartition(".")[2]):
                config["_disabled_"] = True
            if target.rpartition(".")[2] in LOADERS:
                for key in config.keys() - GIVEN_KEYS:
                    del config[key]
                config["_target_"] = GIVEN
            if config.get("pretrained") is True:
                config["pretrained"] = False
        for value in config.values():
            _tame(value)


def _loaders(config: Any, identifier: str) -> Iterator[str]:
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(config, dict):
        target = config.get("_target_")
        if isinstance(target, str) and target.rpartition(".")[2] == CHECKPOINT_LOADER:
            yield identifier
            return
        items = config.items()
    elif isinstance(config, list):
        items = enumerate(config)
    for key, value in items:
        yield from _loaders(value, f"{identifier}{SEPARATOR}{key}" if identifier else str(key))


def _named(exc: BaseException) -> str:
    """The innermost cause: the error's kind, and for a missing module its name."""
    while exc.__cause__ is not None:
        exc = exc.__cause__
    if isinstance(exc, ModuleNotFoundError):
        return f"{exc.name} is not installed"
    return f"{type(exc).__name__}: {' '.join(str(exc).split())[:200]}"
