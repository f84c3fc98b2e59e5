"""Stands in a bundle's preprocessing where it would load its file: the image is there already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from monai.transforms import EnsureChannelFirst

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Given:
    """Takes the arguments of `LoadImaged` that change what comes out, and loads nothing.

    Parameters
    ----------
    keys
        Under which the bundle wants its image.
    image_only
        Without it, the image's metadata stand beside it, as before MONAI 0.9.
    """

    def __init__(
        self,
        keys: str | Sequence[str],
        *,
        image_only: bool = True,
        ensure_channel_first: bool = False,
        meta_key_postfix: str = "meta_dict",
        allow_missing_keys: bool = False,
    ) -> None:
        self.keys = (keys,) if isinstance(keys, str) else tuple(keys)
        self._with_meta = not image_only
        self._channel_first = ensure_channel_first
        self._postfix = meta_key_postfix
        self.optional = allow_missing_keys

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """What the loader would have made of the image."""
        item = dict(data)
        for key in self.keys:
            if key not in item and self.optional:
                continue
            if self._channel_first:
                item[key] = EnsureChannelFirst()(item[key])
            if self._with_meta:
                item[f"{key}_{self._postfix}"] = dict(item[key].meta)
        return item
