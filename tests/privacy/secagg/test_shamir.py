from itertools import combinations

from wardround.privacy.secagg.shamir import NUM_BYTES, PRIME, join, lagrange, split


def threes(num: int) -> bytes:
    return (3).to_bytes(num, "little")


def test_two_of_three_by_hand():
    secret = (5).to_bytes(32, "little")  # f(x) = 5 + 3x at x = 1, 2, 3
    shares = split(secret, 2, [0, 1, 2], threes)
    assert [int.from_bytes(share, "little") for share in shares.values()] == [8, 11, 14]
    assert lagrange([0, 1]) == [2, PRIME - 1]  # 2 * 8 - 11 = 5
    assert join([shares[0], shares[1]], [2, PRIME - 1]) == secret


def test_any_t_shares_give_the_secret(fixed):
    secret = fixed(32)
    shares = split(secret, 4, [0, 2, 3, 7, 49, 255], fixed)
    for places in combinations(shares, 4):
        assert join([shares[place] for place in places], lagrange(places)) == secret


def test_fewer_than_t_shares_fit_every_secret(fixed):
    shares = split(fixed(32), 3, [0, 1, 2], fixed)
    for other in (bytes(32), b"\xff" * 32):  # there is a third share that makes the first two give this secret
        first, second, third = lagrange([0, 1, 2])
        known = first * int.from_bytes(shares[0], "little") + second * int.from_bytes(shares[1], "little")
        needed = (int.from_bytes(other, "little") - known) * pow(third, -1, PRIME) % PRIME
        assert join([shares[0], shares[1], needed.to_bytes(NUM_BYTES, "little")], [first, second, third]) == other


def test_a_wrong_share_gives_no_secret_of_32_bytes(fixed):
    shares = split(fixed(32), 3, [0, 1, 2], fixed)
    assert join([shares[0], shares[1], shares[1]], lagrange([0, 1, 2])) is None


def test_a_draw_beyond_the_field_is_drawn_again():
    draws = iter([b"\xff" * NUM_BYTES, threes(NUM_BYTES)])
    assert split(bytes(32), 2, [0], lambda num: next(draws))[0] == threes(NUM_BYTES)
