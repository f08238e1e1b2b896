"""The only serialiser: what is sent is what arrives, to the bit, and what cannot be trusted is refused with the reason."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save

from wardround.compression.filter import Compression, PackedParams, pack
from wardround.compression.half import Half
from wardround.compression.int8 import Int8
from wardround.compression.topk import TopK
from wardround.core.exchange import EvaluateOrder, Order, SiteFailed, SiteReport, Update
from wardround.core.params import Layout, Params
from wardround.core.tally import ClassTally, Counts, DiceTally, FindingTally
from wardround.errors import WireError
from wardround.fleet.header import MAX_ARRAYS, MAX_DEPTH, MAX_HEADER
from wardround.fleet.wire import KINDS, SMALL, decode, encode, kinds_of, peek, typed
from wardround.network.messages import Deliver, Envelope, Hello, Ready, SiteSummary
from wardround.plan.schema import Recipe
from wardround.strategies.scaffold import Scaffold, ScaffoldOrder, ScaffoldUpdate

LAYOUT = Layout.of([("conv.weight", torch.zeros(2, 2), True), ("fc.weight", torch.zeros(3), True), ("running_var", torch.zeros(2), False)])
LABELS = ClassTally.of(np.array([[0.2, 0.8], [0.6, 0.4]]), np.array([1, 1]), np.array([0.1, 0.7]))
FINDINGS = FindingTally.of(np.array([[0.2, 0.8]]), np.array([[0, 1]]), np.array([0.1]))
DICE = DiceTally(loss_sum=0.5, num_examples=2, names=("whole", "core"), dice_sum=np.array([1.5, 0.25]))
ENVELOPE = Envelope(run="r", plan="ab" * 32, site="north", round=1, nonce="cd" * 16, weights=(0.1, 1.9), notes=("a note",))
TABLE = kinds_of(Scaffold(recipe=Recipe()), Order, Update, Hello, Ready, SiteSummary, Deliver)


def params(*numbers: float) -> Params:
    return Params(torch.tensor(numbers or tuple(range(1, 10)), dtype=torch.float32), LAYOUT)


def update(delta: Params | None = None, **fields) -> Update:
    return Update(**{"site": "north", "num_examples": 3, "delta": delta or params(), "num_steps": 2, "train_loss": 0.1} | fields)


def report(**fields) -> SiteReport:
    return SiteReport(**{"site": "north", "tally": LABELS} | fields)


MESSAGES = {
    "order": ScaffoldOrder(round=3, params=params(), control=params(*[0.5] * 9), recipe=Recipe(lr=1 / 3, clip_norm=0.1), sent_bytes=None),
    "update": ScaffoldUpdate(**vars(update(seconds=1e-9, sent_bytes=72)), control_delta=params(*[-0.0] * 9)),
    "diverged": update(params(*[math.nan, math.inf, -math.inf] * 3), train_loss=math.nan),
    "evaluate": EvaluateOrder(round=1, params=params(), rows="test", detail=True, is_personal=True, temperatures=(0.5, 1.0)),
    "labels": report(rows=np.arange(3), values=np.ones((3, 2), np.float32), loss_sums=np.array([0.1, math.nan]), elsewhere=LABELS),
    "findings": report(tally=FINDINGS),
    "dice": report(tally=DICE),
    "failed": SiteFailed(site="north", reason="out of film: 5 µm \"thin\"\n"),
    "hello": Hello(plan="[data]\nsize = 8\n" * 500),
    "ready": Ready(site="north", num_train=5, num_val=2, num_test=3, task="binary", classes=("no", "yes"), regions={"whole": (1, 2)},
                   phantom=False, fingerprint="", version="1", device="cpu", threads=1, counts={"no": 2, "yes": 3}),
    "summary": SiteSummary(site="north", scores={"mean_dice": {"value": 0.5, "per": [1, None, "few", True]}}, tally=DICE,
                           replicates=np.arange(6.0).reshape(2, 3)),
    "deliver": Deliver(round=2, params=params(), is_personal=True, record={"name": "toy", "size": [8, 8]}, card="# Card\n"),
}


def assert_same(found: Any, expected: Any) -> None:
    """Same types, same bits."""
    assert type(found) is type(expected) or {type(found), type(expected)} == {Params, PackedParams}
    if isinstance(expected, Params):
        assert found.layout == expected.layout
        assert torch.equal(found.flat.view(torch.int32), expected.flat.view(torch.int32))
    elif isinstance(expected, np.ndarray):
        assert (found.dtype, found.shape, found.tobytes()) == (expected.dtype, expected.shape, expected.tobytes())
    elif isinstance(expected, Recipe | str):
        assert found == expected
    elif isinstance(expected, Mapping):
        assert list(found) == list(expected)
        for key in expected:
            assert_same(found[key], expected[key])
    elif isinstance(expected, tuple | list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    elif hasattr(expected, "__dataclass_fields__"):
        for name in expected.__dataclass_fields__:
            assert_same(getattr(found, name), getattr(expected, name))
    else:
        assert found == expected or (math.isnan(found) and math.isnan(expected))


@pytest.mark.parametrize("name", MESSAGES)
def test_every_kind_of_message_arrives_as_it_was_sent(name) -> None:
    data = encode(vars(ENVELOPE), MESSAGES[name])
    envelope, message = decode(data, TABLE, LAYOUT)
    assert_same(message, MESSAGES[name])
    assert typed(Envelope, envelope) == ENVELOPE
    for kind in (bytearray(data), memoryview(data)):
        assert_same(decode(kind, TABLE, LAYOUT)[1], MESSAGES[name])


def test_a_message_is_a_safetensors_file_whose_header_can_be_read_alone() -> None:
    data = encode({"nonce": "7"}, report(loss_sums=np.zeros(2)))
    head = peek(data)
    assert (head.kind, head.envelope, head.num_bytes) == ("SiteReport", {"nonce": "7"}, len(data))
    assert head.arrays["loss_sums"] == ("F64", (2,))
    assert load(data).keys() == head.arrays.keys() == {"loss_sums", "tally/counts/cells", "tally/counts/numbers"}
    first_array = len(data) - 8 * 2 - 16 * len(LABELS.counts.cells)
    assert data[first_array - 1 :][:1] in (b"}", b" ")
    assert peek(data[:first_array] + bytes(len(data) - first_array)) == head


def test_numbers_of_a_large_message_are_read_where_they_lie() -> None:
    layout = Layout.of([("fc.weight", torch.zeros(SMALL), True)])
    data = encode({}, Order(round=1, params=Params(torch.ones(SMALL), layout), recipe=Recipe()))
    found = decode(data, TABLE, layout)[1].params.flat
    assert found.data_ptr() + 4 * SMALL == np.frombuffer(data, np.uint8).ctypes.data + len(data)


def test_numbers_that_lie_across_a_machine_s_words_are_copied() -> None:
    data = encode({}, update())
    shifted = memoryview(bytearray(b"!" + data))[1:]
    assert decode(shifted, TABLE, LAYOUT)[1].delta.flat.tolist() == list(range(1, 10))


def test_tensors_of_zeros_are_left_out_where_less_is_said_to_travel() -> None:
    sparse = params(0, 0, 0, 0, 1, 2, 3, -0.0, 0)
    for sent, there in ((None, 9), (12, 5), (0, 5)):
        data = encode({}, update(sparse, sent_bytes=sent))
        assert peek(data).arrays == {"delta": ("F32", (there,))}
        assert_same(decode(data, TABLE, LAYOUT)[1], update(sparse, sent_bytes=sent))
    assert peek(encode({}, update(params(*[0] * 9), sent_bytes=0))).arrays == {"delta": ("F32", (0,))}


def test_what_the_reader_will_not_look_at_is_left_out_and_read_as_zeros() -> None:
    order = Order(round=1, params=params(), recipe=Recipe())
    unread = LAYOUT.where(lambda entry: entry.name == "fc.weight")
    data = encode({}, order, unread=unread)
    assert peek(data).arrays == {"params": ("F32", (6,))}
    assert decode(data, TABLE, LAYOUT)[1].params.flat.tolist() == [1, 2, 3, 4, 0, 0, 0, 8, 9]


@pytest.mark.parametrize("codec", [Half(), Int8(), TopK(0.3)])
def test_a_compressed_update_travels_as_it_was_packed_and_arrives_as_the_filter_left_it(codec) -> None:
    rng = torch.Generator().manual_seed(0)
    start = ScaffoldUpdate(**vars(update(params(*torch.randn(9, generator=rng).tolist()))), control_delta=params(*[0.0] * 7, 1.0, 2.0))
    passed = Compression(codec)(start, {}, rng)
    data = encode({}, passed)
    assert sum(shape[0] for _, shape in peek(data).arrays.values()) == passed.num_bytes < start.num_bytes
    assert_same(decode(data, TABLE, LAYOUT, codec=codec)[1], passed)
    with pytest.raises(WireError, match="comes compressed"):
        decode(data, TABLE, LAYOUT)


@pytest.mark.parametrize("codec", [Half(), Int8(), TopK(0.3)])
def test_packed_bytes_that_are_none_are_refused(codec) -> None:
    whole = pack(params(), codec, torch.Generator().manual_seed(0))
    assert whole[0] == 0b11100000
    for data in (b"", whole[:1], whole[:-1], whole + b"\0\0\0\0", bytes([0b00100000]) + whole[1:], b"\xff" + whole[1:],
                 b"\xe0" + b"\xff" * 40):
        sent = update(PackedParams(torch.zeros(9), LAYOUT, data))
        with pytest.raises(WireError, match=r"'delta' is not what exchange\.updates packs"):
            decode(encode({}, sent), TABLE, LAYOUT, codec=codec)


def test_numpy_s_own_numbers_arrive_as_python_s() -> None:
    found = decode(encode({}, update(num_examples=np.int64(3), train_loss=np.float32(0.5))), TABLE, LAYOUT)[1]
    assert_same((found.num_examples, found.train_loss), (3, 0.5))


def test_a_whole_number_may_stand_for_a_real_one() -> None:
    assert_same(decode(encode({}, update(train_loss=1)), TABLE, LAYOUT)[1].train_loss, 1.0)


@dataclass(frozen=True, kw_only=True)
class Odd:
    """A field of each type that no message of ours has."""

    either: int | str
    pair: tuple[int, str]
    many: list[float]
    mode: Literal["a", 1]


def test_unions_pairs_lists_and_literals_arrive_as_annotated() -> None:
    for odd in (Odd(either=1, pair=(2, "x"), many=[0.5], mode="a"), Odd(either="s", pair=(2, "x"), many=[], mode=1)):
        assert_same(decode(encode({}, odd), {"Odd": Odd}, None)[1], odd)
    for fields, why in (({"either": None}, "'either' is None"), ({"pair": [1]}, "1 entries, expected 2"),
                        ({"many": ["x"]}, "'many/0' is 'x'"), ({"mode": True}, "'mode' is True"), ({"pair": "ab"}, "expected tuple")):
        with pytest.raises(WireError, match=why):
            typed(Odd, {"either": 1, "pair": [2, "x"], "many": [], "mode": "a"} | fields)


@pytest.mark.parametrize("value", [b"bytes", {1: "a"}, {"a", "b"}, 1j, np.zeros(2, np.complex64), np.array(["text"]), Odd, torch.zeros(2)])
def test_what_cannot_travel_is_named_at_the_sender(value) -> None:
    with pytest.raises(WireError, match=r"'scores/here/0' is of type .*cannot travel"):
        encode({}, SiteSummary(site="north", scores={"here": [value]}))


def rebuilt(data: bytes, change) -> bytes:
    """The message after `change(head, arrays)`."""
    arrays = load(data)
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    head = json.loads(header["__metadata__"]["wardround"])
    change(head, arrays)
    return save(arrays, {"wardround": json.dumps(head)})


def field(name: str, value: Any):
    return lambda head, arrays: head["fields"].update({name: value})


def array(name: str, value: np.ndarray):
    return lambda head, arrays: arrays.update({name: value})


def tally(**fields):
    return lambda head, arrays: head["fields"]["tally"].update(fields)


def counts(**fields):
    return lambda head, arrays: head["fields"]["tally"]["counts"].update(fields)


CELLS, NUMBERS = "tally/counts/cells", "tally/counts/numbers"
NUM_CELLS = len(LABELS.counts.cells)
WRONG = {
    "kind": ("update", lambda head, arrays: head.update(kind="os.system"), "its kind is 'os.system', expected"),
    "kind of another": ("update", lambda head, arrays: head.update(kind="SiteReport"), r"missing \['elsewhere'.*unknown \['control_delta'"),
    "kind that is none": ("update", lambda head, arrays: head.update(kind=7), "a kind, an envelope and fields"),
    "envelope": ("update", lambda head, arrays: head.update(envelope=[]), "a kind, an envelope and fields"),
    "more in the message": ("update", lambda head, arrays: head.update(code="x"), "a kind, an envelope and fields"),
    "missing field": ("update", lambda head, arrays: head["fields"].pop("site"), r"missing \['site'\]"),
    "unknown field": ("update", field("colour", 1), r"unknown \['colour'\]"),
    "text for a number": ("update", field("num_examples", "3"), "'num_examples' is '3', expected int"),
    "real for a count": ("update", field("num_examples", 3.0), "'num_examples' is 3.0, expected int"),
    "NaN for a count": ("update", field("num_examples", math.nan), "'num_examples' is nan, expected int"),
    "truth for a count": ("update", field("num_examples", True), "'num_examples' is True, expected int"),
    "huge count": ("update", field("num_examples", 10**30), "'num_examples' is 1000"),
    "number for text": ("update", field("site", 1), "'site' is 1, expected str"),
    "text for a loss": ("update", field("train_loss", "low"), "'train_loss' is 'low', expected float"),
    "rows": ("evaluate", field("rows", "all"), "'rows' is 'all'"),
    "truth": ("evaluate", field("detail", 1), "'detail' is 1, expected bool"),
    "recipe": ("order", lambda head, arrays: head["fields"]["recipe"].update(lr=-1), "'recipe/lr': "),
    "recipe's name": ("order", lambda head, arrays: head["fields"]["recipe"].update(hook="x"), "'recipe/hook': "),
    "params as a list": ("update", field("delta", [1.0] * 9), "'delta' does not say which of the model's 3 tensors"),
    "params' bits": ("update", field("delta", {"there": "zz"}), "'delta' does not say which"),
    "params' further bits": ("update", field("delta", {"there": "ff"}), "'delta' does not say which"),
    "params' many bits": ("update", field("delta", {"there": "e0" * 9}), "'delta' does not say which"),
    "fewer tensors": ("update", field("delta", {"there": "80"}), "'delta' has 9 numbers, the model has 4"),
    "fewer numbers": ("update", array("delta", np.zeros(8, np.float32)), "'delta' has 8 numbers, the model has 9"),
    "another precision": ("update", array("delta", np.zeros(9)), r"'delta' is an array \(9,\) of F64, expected"),
    "another shape": ("update", array("delta", np.zeros((3, 3), np.float32)), r"'delta' is an array \(3, 3\) of F32, expected"),
    "a half": ("update", array("delta", np.zeros(9, np.float16)), "'delta' is of 'F16', allowed are"),
    "missing array": ("update", lambda head, arrays: arrays.pop("delta"), "the array of 'delta' is missing"),
    "unasked array": ("update", array("images", np.zeros(4, np.uint8)), "arrays that no field asks for: images"),
    "array for a number": ("update", field("train_loss", "array"), "'train_loss' is 'array', expected float"),
    "tally of another kind": ("labels", tally(kind="Odd"), "'tally' is .*expected"),
    "part that is no part": ("labels", tally(kind="Counts"), "'tally' is .*expected"),
    "classes": ("labels", tally(num_classes=3), "'tally': 4100 counts are not those of 3 classes"),
    "very many classes": ("labels", lambda head, arrays: (tally(num_classes=10**6)(head, arrays),
                                                          counts(size=2048 * 10**6 + 10**12)(head, arrays)), "of at most 1000"),
    "cell beyond": ("labels", array(CELLS, np.full(NUM_CELLS, 4100)), r"their cells within 0\.\.4099"),
    "cell before": ("labels", array(CELLS, np.full(NUM_CELLS, -1)), r"their cells within 0\.\.4099"),
    "negative count": ("labels", array(NUMBERS, np.full(NUM_CELLS, -1)), "counts must be above 0"),
    "unequal counts": ("labels", array(NUMBERS, np.ones(1, np.int64)), "int64 vectors of one length"),
    "real counts": ("labels", array(NUMBERS, np.ones(NUM_CELLS)), "int64 vectors of one length"),
    "Dice": ("dice", array("tally/dice_sum", np.zeros(3)), "a number for each name"),
    "patients": ("dice", tally(num_examples=-1), "0 or more patients"),
    "regions": ("ready", field("regions", {"whole": [1, "x"]}), "'regions/whole/1' is 'x', expected int"),
    "regions as a list": ("ready", field("regions", [1]), "'regions' is"),
    "depth": ("summary", field("scores", json.loads("[" * 30 + "]" * 30)), f"at most {MAX_DEPTH} levels"),
    "scores": ("summary", field("scores", "high"), "'scores' is 'high', expected"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_in_a_message_is_named(case) -> None:
    name, change, why = WRONG[case]
    with pytest.raises(WireError, match=f"^a message cannot be trusted: .*{why}"):
        decode(rebuilt(encode(vars(ENVELOPE), MESSAGES[name]), change), TABLE, LAYOUT)


def framed(header: str | bytes, body: bytes = b"") -> bytes:
    header = header.encode() if isinstance(header, str) else header
    return len(header).to_bytes(8, "little") + header + body


TOLD = {"wardround": '{"kind":"SiteFailed","envelope":{},"fields":{"site":"a","reason":"b"}}'}
META = f'"__metadata__":{json.dumps(TOLD)}'


def described(dtype: str = "U8", shape: str = "[4]", offsets: str = "[0,4]", body: bytes = bytes(4)) -> bytes:
    return framed(f'{{{META},"x":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}', body)


NO_MESSAGE = {
    "nothing": (b"", "not safetensors"),
    "few bytes": (b"abc", "not safetensors"),
    "pickle": (b"\x80\x04\x95" + b"c" * 60, "not safetensors"),
    "a header longer than the message": (framed("{}")[:8].replace(b"\x02", b"\x63") + b"{}", "claim a header of 99"),
    "a header longer than any": ((2**62).to_bytes(8, "little") + b"{}", "claim a header of 4611686018427387904"),
    "a header longer than allowed": (framed(b" " * (MAX_HEADER + 1)), f"claim a header of {MAX_HEADER + 1}"),
    "no JSON": (framed("{'a'}"), "its header is not JSON"),
    "no text": (framed(b"\xff\xfe\xfd"), "its header is not JSON"),
    "no object": (framed("[]"), "not a JSON object"),
    "very deep JSON": (framed("[" * 10**6), "its header is not JSON"),
    "deep JSON": (framed('{"a":' * 40 + "1" + "}" * 40), f"at most {MAX_DEPTH} levels"),
    "a very long number": (framed('{"a":' + "9" * 10**5 + "}"), "its header is not JSON"),
    "a key twice": (framed('{"a":1,"a":2}'), "a key comes twice"),
    "safetensors of others": (save({"x": np.zeros(2, np.float32)}, {"format": "pt"}), "no message of wardround"),
    "safetensors without metadata": (save({"x": np.zeros(2, np.float32)}), "no message of wardround"),
    "a message that is no JSON": (save({}, {"wardround": "x"}), "its message is not JSON"),
    "many arrays": (save({f"x{n}": np.zeros(1, np.uint8) for n in range(MAX_ARRAYS + 1)}, TOLD), f"65 arrays, at most {MAX_ARRAYS}"),
    "an array that is not described": (framed(f'{{{META},"x":3}}'), "not described as safetensors"),
    "an unknown type": (described("F8_E4M3"), "is of 'F8_E4M3', allowed are"),
    "a type that is none": (framed(f'{{{META},"x":{{"dtype":{{}},"shape":[],"data_offsets":[0,0]}}}}'), "is of {}, allowed are"),
    "a negative shape": (described(shape="[-4]"), "no proper shape"),
    "a shape of truths": (described(shape="[true]", offsets="[0,1]", body=b"a"), "no proper shape"),
    "a shape of many": (described(shape=str([1] * 9)), "no proper shape"),
    "a huge shape": (described(shape="[4611686018427387904,4611686018427387904]"), "does not have the bytes for it"),
    "more than its bytes": (described(shape="[5]"), "does not have the bytes for it"),
    "a place before": (described(offsets="[-4,0]"), "no proper shape or place"),
    "a place between": (described(offsets="[4,8]", body=bytes(8)), "do not lie one after another"),
    "cut off": (described(body=bytes(3)), "cut off, or something was added"),
    "added to": (described(body=bytes(5)), "cut off, or something was added"),
    "two in one place": (framed(f'{{{META},"x":{{"dtype":"U8","shape":[2],"data_offsets":[0,2]}},'
                                f'"y":{{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}}}', bytes(2)), "do not lie one after another"),
}


@pytest.mark.parametrize("case", NO_MESSAGE)
def test_what_is_no_message_is_refused_by_its_header(case) -> None:
    data, why = NO_MESSAGE[case]
    for read in (peek, lambda data: decode(data, KINDS, None)):
        with pytest.raises(WireError) as found:
            read(data)
        assert why in str(found.value)


def test_the_header_that_the_refusals_change_is_itself_a_good_one() -> None:
    assert decode(framed(f"{{{META}}}"), KINDS, None)[1] == SiteFailed(site="a", reason="b")


def test_a_message_that_is_too_large_is_refused_before_it_is_read() -> None:
    data = encode({}, update())
    assert decode(data, TABLE, LAYOUT, max_bytes=len(data))
    for read in (lambda: decode(data, TABLE, LAYOUT, max_bytes=len(data) - 1), lambda: peek(bytes(50), max_bytes=49)):
        with pytest.raises(WireError, match=r"it has \d+ bytes, at most \d+ are allowed"):
            read()


def test_a_message_without_a_layout_may_not_bring_a_model() -> None:
    with pytest.raises(WireError, match="'delta' holds a model's numbers, which this message may not bring"):
        decode(encode({}, update()), TABLE, None)


def test_truths_are_bytes_of_0_and_1() -> None:
    good = encode({}, report(rows=np.array([True, False])))
    assert decode(good, TABLE, None)[1].rows.tolist() == [True, False]
    with pytest.raises(WireError, match="'rows' holds other bytes than 0 and 1"):
        decode(good[:-2] + b"\2\0", TABLE, None)


def test_empty_counts_arrive() -> None:
    empty = Counts(size=4100, cells=np.empty(0, np.int64), numbers=np.empty(0, np.int64))
    sent = report(tally=replace(LABELS, counts=empty))
    assert_same(decode(encode({}, sent), TABLE, None)[1], sent)


def tampered(data: bytes, rng: np.random.Generator):
    """The message cut off, with a bit turned, a byte changed, taken out or put in, at many places."""
    for place in rng.integers(0, len(data), 60).tolist():
        yield data[:place]
        yield data[:place] + bytes([data[place] ^ 1 << int(rng.integers(8))]) + data[place + 1 :]
        yield data[:place] + bytes([int(rng.integers(256))]) + data[place + 1 :]
        yield data[:place] + data[place + 1 :]
        yield data[:place] + bytes([int(rng.integers(256))]) + data[place:]


@pytest.mark.parametrize("name", [*MESSAGES, "packed"])
def test_a_damaged_message_is_refused_or_is_one_of_its_kind(name) -> None:
    rng = np.random.default_rng(0)
    sent = Compression(TopK(0.3))(update(), {}, torch.Generator()) if name == "packed" else MESSAGES[name]
    data = encode(vars(ENVELOPE), sent)
    whole = 0
    for bad in tampered(data, rng):
        try:
            _, message = decode(bad, TABLE, LAYOUT, codec=TopK(0.3))
        except WireError:
            continue
        whole += 1
        assert type(message).__name__ in TABLE  # only numbers, or letters of texts, are others
        encode({}, message)
    assert whole < 300
