import numpy as np

from wardround.privacy.secagg.masks import PIECE, KeyStream, add_masks, pieces
from wardround.rng import stream


def test_what_is_added_can_be_taken_off(fixed):
    numbers = stream("masks").integers(0, 2**32, PIECE + 3, dtype=np.uint32)
    masked = numbers.copy()
    add_masks(masked, plus=[b"a" * 32, b"b" * 32], minus=[b"c" * 32])
    assert (masked != numbers).mean() > 0.99
    add_masks(masked, plus=[b"c" * 32], minus=[b"b" * 32, b"a" * 32])
    assert (masked == numbers).all()


def test_a_mask_goes_on_over_the_pieces():
    numbers = np.zeros(PIECE + 3, dtype=np.uint32)
    add_masks(numbers, plus=[b"k" * 32], minus=[])
    other = KeyStream(b"k" * 32, PIECE)
    assert (numbers[:PIECE] == other.next(PIECE)).all() and (numbers[PIECE:] == other.next(3)).all()


def test_pieces_cover_a_vector_once():
    assert [len(range(*piece.indices(10**9))) for piece in pieces(2 * PIECE + 1)] == [PIECE, PIECE, 1]
