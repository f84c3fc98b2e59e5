import cv2
import numpy as np
import pytest

from dicom_node.domain.errors import ConfigurationError
from inference.training.examples import read_examples, read_grey
from inference.training.splitting import fold_splits, group_alike, split_examples, thumbnails

RNG = np.random.default_rng(3)


def write(path, image=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), RNG.integers(0, 255, (24, 24), dtype=np.uint8) if image is None else image)
    return path


@pytest.fixture
def folder(tmp_path):
    for name, count in (("one", 60), ("two", 20)):
        for n in range(count):
            write(tmp_path / name / f"{n}.png")
    return tmp_path


def groups_of(examples):
    small = thumbnails([read_grey(item.path) for item in examples.items])
    return group_alike([item.patient for item in examples.items], small)


def test_folders_are_classes(folder):
    (folder / "one" / "notes.txt").write_text("no image")
    examples = read_examples(folder)
    assert examples.classes == ("one", "two")
    assert np.bincount([item.label for item in examples.items]).tolist() == [60, 20]


def test_the_same_data_have_the_same_hash_wherever_they_lie(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("elsewhere") / "data"
    folder.rename(other)
    before = read_examples(other).sha256()
    other.rename(folder)
    assert read_examples(folder).sha256() == before
    write(folder / "one" / "0.png")
    assert read_examples(folder).sha256() != before


def test_a_table_names_patients_subsets_and_splits(tmp_path):
    write(tmp_path / "a.png"), write(tmp_path / "b.png")
    (tmp_path / "t.csv").write_text(
        "path,label,patient,subset,split\na.png,ill,p1,here,test\nb.png,well,,,\n", encoding="utf-8"
    )
    ill, well = read_examples(tmp_path / "t.csv", ("well", "ill")).items
    assert (ill.label, ill.patient, ill.subset, ill.split) == (1, "p1", "here", "test")
    assert (well.label, well.patient, well.subset, well.split) == (0, None, None, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\n", "columns path and label"),
        ("path,label\nmissing.png,a\n", "line 2"),
        ("path,label,split\na.png,a,tomorrow\n", "split is one of"),
        ("path,label\na.png,a\n", "at least two classes"),
    ],
)
def test_a_table_with_a_fault_says_where(tmp_path, text, message):
    write(tmp_path / "a.png")
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=message):
        read_examples(tmp_path / "t.csv")


def test_a_file_that_is_no_image_is_named(tmp_path):
    path = tmp_path / "broken.png"
    for content in (b"", b"no image"):
        path.write_bytes(content)
        with pytest.raises(ConfigurationError, match=r"broken\.png"):
            read_grey(path)


def test_near_doubles_lie_on_one_side(folder):
    image = cv2.GaussianBlur(RNG.integers(0, 255, (24, 24), dtype=np.uint8), (0, 0), 2)
    for n in range(15):
        noisy = np.clip(image * 0.9 + RNG.normal(0, 2, image.shape), 0, 255).astype(np.uint8)
        write(folder / "two" / f"double{n}.png", noisy)
    examples = read_examples(folder)
    groups = groups_of(examples)
    doubles = [n for n, item in enumerate(examples.items) if item.path.name.startswith("double")]
    assert len(set(groups[doubles])) == 1
    split = split_examples(examples, groups, seed=1)
    for group in set(groups):
        assert len(set(split[groups == group])) == 1


def test_images_of_a_patient_lie_on_one_side(tmp_path):
    lines = ["path,label,patient"]
    for n in range(60):
        write(tmp_path / f"{n}.png")
        lines.append(f"{n}.png,{'ab'[n % 2]},p{n // 6}")
    (tmp_path / "t.csv").write_text("\n".join(lines), encoding="utf-8")
    examples = read_examples(tmp_path / "t.csv")
    split = split_examples(examples, groups_of(examples), seed=2)
    sides = {}
    for item, side in zip(examples.items, split, strict=True):
        sides.setdefault(item.patient, set()).add(side)
    assert {len(found) for found in sides.values()} == {1}
    assert set(split) == {0, 1, 2}


def test_classes_have_the_same_shares_in_every_split_and_the_seed_decides(folder):
    examples = read_examples(folder)
    groups = groups_of(examples)
    split = split_examples(examples, groups, seed=5)
    labels = np.array([item.label for item in examples.items])
    assert [np.bincount(split[labels == k]).tolist() for k in (0, 1)] == [[42, 9, 9], [14, 3, 3]]
    assert (split_examples(examples, groups, seed=5) == split).all()
    assert (split_examples(examples, groups, seed=6) != split).any()


def test_a_split_that_the_table_names_is_kept(tmp_path):
    image = cv2.GaussianBlur(RNG.integers(0, 255, (24, 24), dtype=np.uint8), (0, 0), 2)
    lines = ["path,label,patient,subset,split"]
    for n, split in enumerate(["test", "train", "", "validation"]):
        write(tmp_path / f"{n}.png", image)
        lines.append(f"{n}.png,{'ab'[n % 2]},,,{split}")
    (tmp_path / "t.csv").write_text("\n".join(lines), encoding="utf-8")
    examples = read_examples(tmp_path / "t.csv")
    # The one without a split is a double of the others: it follows the first.
    assert split_examples(examples, groups_of(examples), seed=1).tolist() == [2, 0, 0, 1]


def test_every_image_is_tested_in_one_fold_whole_groups_in_the_same_shares(folder):
    examples = read_examples(folder)
    groups = groups_of(examples)
    labels = np.array([item.label for item in examples.items])
    splits = np.stack(fold_splits(examples, groups, seed=3, folds=4))
    assert ((splits == 2).sum(axis=0) == 1).all()
    for split in splits:
        held, tested = (np.bincount(labels[split == n]).tolist() for n in (1, 2))
        assert tested == [15, 5]
        assert held == [pytest.approx(45 * 0.15 / 0.85, abs=1), pytest.approx(15 * 0.15 / 0.85, abs=1)]
        for group in set(groups):
            assert len(set(split[groups == group])) == 1


def test_what_the_table_names_stays_out_of_the_folds_tests(tmp_path):
    lines = ["path,label,patient,subset,split"]
    for n in range(40):
        write(tmp_path / f"{n}.png")
        lines.append(f"{n}.png,{'ab'[n % 2]},,,{['train', 'validation', 'test'][n] if n < 3 else ''}")
    (tmp_path / "t.csv").write_text("\n".join(lines), encoding="utf-8")
    examples = read_examples(tmp_path / "t.csv")
    splits = np.stack(fold_splits(examples, groups_of(examples), seed=3, folds=4))
    named = {item.path.name: splits[:, n].tolist() for n, item in enumerate(examples.items) if item.split}
    assert named == {"0.png": [0] * 4, "1.png": [1] * 4, "2.png": [-1] * 4}
    assert (splits >= 0).sum() == 4 * 39
