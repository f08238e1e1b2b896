"""Messages of the network that were not written by wardround. (More cases: tests/fleet/test_wire.py, tests/network/test_agent.py.)"""

import json
import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch

from wardround.compression.codec import Codec
from wardround.compression.half import Half
from wardround.compression.int8 import Int8
from wardround.compression.topk import TopK
from wardround.core.exchange import Order, Update
from wardround.core.params import Layout, Params
from wardround.errors import WireError
from wardround.fleet.wire import decode, encode, kinds_of
from wardround.network.envelope import Envelope
from wardround.network.messages import Deliver, Hello, Ready, SiteSummary
from wardround.plan.schema import Recipe
from wardround.strategies.fedavg import FedAvg

LAYOUT = Layout.of([("conv.weight", torch.zeros(2, 2), True), ("fc.weight", torch.zeros(3), True)])
TABLE = kinds_of(FedAvg(recipe=Recipe()), Order, Update, Hello, Ready, SiteSummary, Deliver)
ENVELOPE = Envelope(run="r", plan="ab" * 32, site="north", round=1, nonce="cd" * 16).record()


def framed(message: object, arrays: Mapping[str, Any] = MappingProxyType({}), data: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file with this message in its header."""
    told = message if isinstance(message, str) else json.dumps(message)
    text = json.dumps({"__metadata__": {"wardround": told}, **arrays}).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def update(**fields: Any) -> dict[str, Any]:
    """An honest update as its header tells it, with other fields."""
    honest = encode(ENVELOPE, Update(site="north", num_examples=3, delta=Params(torch.zeros(7), LAYOUT), num_steps=2, train_loss=0.1))
    told: dict[str, Any] = json.loads(json.loads(honest[8:8 + struct.unpack("<Q", honest[:8])[0]])["__metadata__"]["wardround"])
    return {**told, "fields": {**told["fields"], **fields}}


def test_an_update_of_this_form_is_taken_where_nothing_is_changed() -> None:
    _, message = decode(framed(update(), {"delta": F32}, bytes(28)), TABLE, LAYOUT)
    assert message.delta.flat.tolist() == [0.0] * 7


F32 = {"dtype": "F32", "shape": [7], "data_offsets": [0, 28]}

REFUSED: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"", "a program": lambda: b"\x7fELF" + bytes(100), "a pickle": lambda: b"\x80\x04cos\nsystem\n.",
    "a header of 2^63 bytes": lambda: framed({}, length=2**63), "a header of 9 MB": lambda: struct.pack("<Q", 9 * 2**20) + bytes(9 * 2**20),
    "a header 100,000 deep": lambda: struct.pack("<Q", 200_000) + b"[" * 100_000 + b"]" * 100_000,
    "a message 100,000 deep": lambda: framed("[" * 100_000), "a message of 20 levels": lambda: framed('{"a":' * 20 + "1" + "}" * 20),
    "a number of 5,000 digits": lambda: framed('{"kind": ' + "9" * 5000 + "}"),
    "a key that comes twice": lambda: framed('{"kind": 1, "kind": 2}'),
    "a kind that is a path": lambda: framed({"kind": "../../x:Y", "envelope": {}, "fields": {}}),
    "a kind that is a class of Python": lambda: framed({"kind": "subprocess.Popen", "envelope": {}, "fields": {}}),
    "two million million numbers": lambda: framed(update(), {"delta": {**F32, "shape": [2**41]}}, bytes(28)),
    "2^126 numbers": lambda: framed(update(), {"delta": {**F32, "shape": [2**63 - 1, 2**63 - 1]}}, bytes(28)),
    "numbers outside of the message": lambda: framed(update(), {"delta": {**F32, "data_offsets": [0, 2**40]}}, bytes(28)),
    "numbers before the message": lambda: framed(update(), {"delta": {**F32, "data_offsets": [-28, 0]}}, bytes(28)),
    "65 arrays": lambda: framed(update(), {f"a{i}": {**F32, "shape": [0], "data_offsets": [0, 0]} for i in range(65)}),
    "arrays of objects": lambda: framed(update(), {"delta": {**F32, "dtype": "O"}}, bytes(28)),
    "a field more": lambda: framed(update(__class__="os.system"), {"delta": F32}, bytes(28)),
    "a site that is a list": lambda: framed(update(site=["north"]), {"delta": F32}, bytes(28)),
    "examples beyond 64 bits": lambda: framed(update(num_examples=2**70), {"delta": F32}, bytes(28)),
    "tensors that are not there": lambda: framed(update(delta={"there": "ff" * 10**6}), {"delta": F32}, bytes(28)),
    "compressed where the plan does not say so": lambda: framed(
        update(delta="packed"), {"delta": {**F32, "dtype": "U8", "shape": [28]}}, bytes(28)),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_in_our_own_words(case: str) -> None:
    with pytest.raises(WireError, match="a message cannot be trusted: "):
        decode(REFUSED[case](), TABLE, LAYOUT)


@pytest.mark.parametrize("codec", [Half(), Int8(), TopK(share=0.3)], ids=lambda codec: type(codec).__name__)
@pytest.mark.parametrize("packed", [b"", b"\xff" * 8, b"\xff" * 28, bytes(2**20), struct.pack("<Q", 2**63) * 4, b"\x00" * 7])
def test_packed_numbers_that_no_codec_has_packed_are_refused_or_are_numbers(codec: Codec, packed: bytes) -> None:
    data = framed(update(delta="packed"), {"delta": {"dtype": "U8", "shape": [len(packed)], "data_offsets": [0, len(packed)]}}, packed)
    try:
        _, message = decode(data, TABLE, LAYOUT, codec=codec)
    except WireError:
        return
    assert message.delta.flat.shape == (7,)


@pytest.mark.parametrize("told", [
    {**ENVELOPE, "run": "../../x"}, {**ENVELOPE, "run": "x" * 81}, {**ENVELOPE, "memory": "a/b"}, {**ENVELOPE, "keep": "\x1b[2J"},
    {**ENVELOPE, "nonce": "0"}, {**ENVELOPE, "round": -1}, {**ENVELOPE, "round": 2**70}, {**ENVELOPE, "deadline_s": float("nan")},
    {**ENVELOPE, "weights": [float("inf")]}, {**ENVELOPE, "weights": [1.0] * 10**5}, {**ENVELOPE, "notes": ["x" * 10**5]},
    {**ENVELOPE, "evil": 1}, {}, {**ENVELOPE, "site": ""}, {**ENVELOPE, "plan": np.pi},
])
def test_an_envelope_that_leads_elsewhere_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(WireError, match="the envelope"):
        Envelope.of(told)
