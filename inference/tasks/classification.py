"""Classifies pictures, slices of a volume, or a whole volume, and explains the decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dicom_node.domain.errors import InferenceFailed, InvalidModelPackage
from inference.preprocess.grid import GridRules, prepare_grid
from inference.preprocess.picture import PictureRules, prepare_picture
from inference.preprocess.slices import select_slices
from inference.runner.adapter import ModelOutput
from inference.tasks.activation import ACTIVATIONS, activate
from inference.tasks.batches import Batches, chosen
from inference.tasks.heat import GridView, SliceView, draw_heat
from inference.tasks.inputs import noise_input, shown_within
from inference.tasks.rules import TaskRules, choice, known_keys
from inference.tasks.verdict import MULTI_LABEL, summarise

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from inference.contract.package import ModelManifest
    from inference.runner.adapter import Heat, LoadedNetwork, ModelInput


class ClassificationAdapter:
    """`inference.runner.adapter.Adapter` over a network that gives one value for each class.

    Of two classes the network may give one value: how likely the second is.

    Raises
    ------
    InvalidModelPackage
        If the manifest's pre- or postprocessing makes no sense.
    """

    def __init__(self, manifest: ModelManifest, network: LoadedNetwork, device: str) -> None:  # noqa: ARG002
        if manifest.classification is None:
            raise InvalidModelPackage("outputs: a classifier needs `classification`")
        self._output = manifest.classification
        self._explanation = manifest.explanation
        self._selection = manifest.input.selection
        self._rules = TaskRules.of(manifest)
        self._shape = (
            PictureRules.of(self._rules.image) if self._rules.flat else GridRules.of(self._rules.image)
        )
        post = manifest.adapter.postprocessing
        known_keys(post, "activation", "output")
        default = "sigmoid" if self._output.mode == MULTI_LABEL else "softmax"
        self._activation = choice(post, "activation", ACTIVATIONS, default)
        self._output_name = post.get("output")
        self._network = network
        self._batches = Batches(network, self._rules.batch)

    def warm_up(self) -> None:
        """Classify noise: a GPU compiles for the first image."""
        noise = noise_input()
        images, _ = self._images(noise.voxels, noise.affine)
        self._batches.outputs(images[:1])

    def predict(self, volume: ModelInput) -> ModelOutput:
        """Classify one input; see `predict_batch`."""
        return next(self.predict_batch((volume,)))

    def predict_batch(self, volumes: Iterable[ModelInput]) -> Iterator[ModelOutput]:
        """Classify each input; their pictures share batches, explanations are drawn one by one.

        Raises
        ------
        InferenceFailed
            If the network gives other than one value for each class, or values that are no numbers.
        """
        for (images, view), outputs in self._batches.each(self._shown(volume) for volume in volumes):
            yield self._output_of(images, view, chosen(outputs, self._output_name))

    def _shown(
        self, volume: ModelInput
    ) -> tuple[NDArray[np.float32], tuple[NDArray[np.float32], SliceView | GridView]]:
        images, view = self._images(shown_within(volume, self._rules.within), volume.affine)
        return images, (images, view)

    def _output_of(
        self, images: NDArray[np.float32], view: SliceView | GridView, values: NDArray[np.float32]
    ) -> ModelOutput:
        values = values.reshape(len(values), -1)
        single = self._probabilities(values)
        series = summarise(self._output, single)
        said = series.verdict.said
        slices = view.source_slices if isinstance(view, SliceView) else ()
        return ModelOutput(
            confidence=series.verdict.confidence,
            classes={
                one.name: float(p) for one, p in zip(self._output.classes, series.probability, strict=True)
            },
            slice_probability=single if slices else None,
            slice_index=slices,
            heat=self._heat(images, view, single[:, said], said, outputs=values.shape[1]),
            facts={"agreement": series.agreement, "slices": float(len(single))},
        )

    def _images(
        self, voxels: NDArray[np.float32], affine: NDArray[np.float64] | None
    ) -> tuple[NDArray[np.float32], SliceView | GridView]:
        rules = self._shape
        if isinstance(rules, GridRules):
            image, placement = prepare_grid(voxels, affine, rules)
            return image[np.newaxis], GridView(placement)
        cut = select_slices(voxels, affine, self._selection)
        made = [prepare_picture(cut.picture(voxels, number), rules) for number in cut.index]
        slices, rows, columns = voxels.shape[:3]
        view = SliceView(cut, tuple(placement for _, placement in made), (slices, rows, columns))
        return np.stack([image for image, _ in made]), view

    def _probabilities(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """(images, classes) from what the network gives, (images, values)."""
        count, temperature = len(self._output.classes), self._output.temperature
        if values.shape[1] == 1 and count == 2:
            activation = "none" if self._activation == "none" else "sigmoid"
            second = activate(values, activation, temperature=temperature)
            return np.concatenate([1 - second, second], axis=1)
        if values.shape[1] != count:
            raise InferenceFailed(
                f"the network gives {values.shape[1]} values, but the manifest describes {count} classes"
            )
        return activate(values, self._activation, temperature=temperature)

    def _heat(
        self,
        images: NDArray[np.float32],
        view: SliceView | GridView,
        weights: NDArray[np.float32],
        said: int,
        *,
        outputs: int,
    ) -> Heat | None:
        target = said if outputs > 1 else said - 1
        if target < 0:
            return None  # the only output speaks for the other class
        name = self._output.classes[said].name
        return draw_heat(
            self._network, self._explanation, view, images, weights=weights, target=(target, name)
        )
