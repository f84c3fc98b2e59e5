"""Damages byte strings at random, as faulty programs, lines and attackers do; a seed gives the same again."""

import os
import random

#: What stands in length fields where parsers break.
_NUMBERS = (0, 1, 2, 3, 5, 6, 7, 8, 9, 127, 128, 255, 256, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF)
_WIDE = (*_NUMBERS, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)

#: How many examples a run draws; `make fuzz` sets more.
SCALE = float(os.environ.get("DICOM_NODE_FUZZ_SCALE", "1"))
#: Another start draws other examples.
SEED = int(os.environ.get("DICOM_NODE_FUZZ_SEED", "0"))


def seeds(count):
    """The seeds of a run of `count` examples at scale 1."""
    return range(SEED, SEED + max(1, int(count * SCALE)))


def mutate(chance, data, others=()):
    """`data` with one to four damages.

    Parameters
    ----------
    chance
        A `random.Random`.
    others
        Byte strings that parts are taken from.
    """
    damaged = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 2, 4))):
        chance.choice(_DAMAGES)(chance, damaged, others or (data,))
    return bytes(damaged)


def _position(chance, damaged):
    # Headers stand in front: most damages go there.
    end = len(damaged) if chance.random() < 0.4 else min(len(damaged), 600)
    return chance.randrange(end) if end else 0


def _flip_bit(chance, damaged, _others):
    if damaged:
        damaged[_position(chance, damaged)] ^= 1 << chance.randrange(8)


def _set_byte(chance, damaged, _others):
    if damaged:
        damaged[_position(chance, damaged)] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))


def _set_short(chance, damaged, _others):
    at = _position(chance, damaged)
    damaged[at : at + 2] = chance.choice(_NUMBERS).to_bytes(2, chance.choice(("big", "little")))


def _set_long(chance, damaged, _others):
    at = _position(chance, damaged)
    damaged[at : at + 4] = chance.choice(_WIDE).to_bytes(4, chance.choice(("big", "little")))


def _cut(chance, damaged, _others):
    at = _position(chance, damaged)
    del damaged[at : at + chance.choice((1, 2, 4, 8, 64, len(damaged)))]


def _repeat(chance, damaged, _others):
    at = _position(chance, damaged)
    damaged[at:at] = damaged[at : at + chance.choice((1, 4, 12, 200))]


def _insert(chance, damaged, others):
    source = chance.choice(others)
    start = chance.randrange(len(source)) if source else 0
    at = _position(chance, damaged)
    damaged[at:at] = source[start : start + chance.choice((2, 8, 70, 400))]


def _noise(chance, damaged, _others):
    at = _position(chance, damaged)
    damaged[at:at] = chance.randbytes(chance.choice((1, 6, 40)))


_DAMAGES = (_flip_bit, _set_byte, _set_short, _set_long, _cut, _repeat, _insert, _noise)


def chance_of(seed):
    """The random numbers of one example."""
    return random.Random(seed)
