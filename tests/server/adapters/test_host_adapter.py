# SPDX-License-Identifier: Apache-2.0
"""An adapter in host memory: one slab, aligned views, nothing that cannot be said."""

import numpy as np
import pytest
import torch

from tabard_registry import BlobRef, Canonical, Manifest, sha256_bytes
from tabard_registry.content.canonical import Layer
from tabard_registry.release.manifest import TokenVectors as ManifestTokens
from tabard_server.adapters.host_adapter import (
    HostChange,
    NotRepresentable,
    PackedLayer,
    lay_out,
    named_views,
    pack,
    seen_in,
)
from tests.server.engine.merged.random_changes import Model, adapter, dense, pair
from tests.server.engine.slots.slotted_block import Block, adapter_for
from tests.server.releases import PLAIN


@pytest.fixture
def model() -> Model:
    torch.manual_seed(3)
    return Model().double().requires_grad_(False)


@pytest.fixture
def block() -> Block:
    torch.manual_seed(3)
    return Block().requires_grad_(False)


def test_slab_holds_every_tensor(block: Block) -> None:
    """All layers are views of one buffer, aligned, of the bytes that are counted."""
    adapter = adapter_for(block, name="a", rank=3, axis="outputs")

    assert adapter.slab is not None
    start, stop = adapter.slab.data_ptr(), adapter.slab.data_ptr() + adapter.slab.nbytes
    views = [view for layer in adapter.layers.values() for view in layer.tensors()]
    assert len(views) == 6
    assert all(start <= view.data_ptr() < stop and view.data_ptr() % 16 == 0 for view in views)
    assert adapter.resident_bytes == adapter.slab.nbytes
    assert (adapter.rank, adapter.rank_rows) == (3, 6)


def test_number_beyond_float16_is_refused(block: Block) -> None:
    """A factor that float16 cannot say is never worn as infinity."""
    packed = PackedLayer(down=torch.ones(1, 6), up=torch.ones(1, 8) * 1e5)

    with pytest.raises(NotRepresentable, match="float16"):
        lay_out({("unet", "linear"): packed}, digest="a", dtype=torch.float16)


def test_slab_holds_changes_beside_layers(model: Model) -> None:
    """One buffer has it all, parts in their own dtype, aligned, under names of their own."""
    change = dense("conv.weight", model.conv.weight)
    halves = HostChange(
        component="unet",
        parameter="norm.bias",
        method="dense",
        scale=1.0,
        options={},
        parts={"diff": torch.ones(6).half()},
    )

    made = adapter("a", {"first": pair(model.first.weight, axis="outputs")}, [change, halves])

    assert made.slab is not None
    assert made.resident_bytes == made.slab.nbytes
    assert (made.is_merged_only, made.rank_rows) == (True, 0)
    found = dict(named_views(made))
    assert list(found) == [
        "unet:first:down",
        "unet:first:up",
        "unet:first:magnitude",
        "unet:conv.weight:dense.diff",
        "unet:norm.bias:dense.diff",
    ]
    start, stop = made.slab.data_ptr(), made.slab.data_ptr() + made.slab.nbytes
    assert all(start <= view.data_ptr() < stop for view in found.values())
    assert all(view.data_ptr() % 16 == 0 for view in found.values())
    assert found["unet:norm.bias:dense.diff"].dtype == torch.float16
    elsewhere = dict(named_views(seen_in(made, made.slab.clone())))
    assert all(torch.equal(view, elsewhere[name]) for name, view in found.items())
    assert not any(view.data_ptr() == elsewhere[name].data_ptr() for name, view in found.items())


def manifest(*tokens: ManifestTokens) -> Manifest:
    """Return a manifest that says nothing but its tokens."""
    return Manifest(
        adapter=PLAIN.adapter,
        version=PLAIN.version,
        kind="lora",
        base_family="sd1",
        base_fingerprint=PLAIN.base_fingerprint,
        original=(BlobRef(name="file", sha256=sha256_bytes(b"file"), bytes=4),),
        canonical=BlobRef(name="canonical", sha256=sha256_bytes(b"c"), bytes=1),
        tokens=tokens or (ManifestTokens(token="<a>", component="none", count=0),),
    )


def test_scale_is_folded_before_narrowing() -> None:
    """`up` is multiplied wide and turned round, `down` unrolled; both in the engine's dtype."""
    up, down = torch.randn(5, 2), torch.randn(2, 3, 2, 2)
    layer = Layer(
        component="unet", module="conv", rank=2, scale=0.3, down=down.numpy(), up=up.numpy()
    )

    packed = pack(
        Canonical(layers=(layer,), tokens={"none": np.zeros((0, 3))}),
        manifest=manifest(),
        dtype=torch.bfloat16,
    ).layers["unet", "conv"]

    assert torch.equal(packed.up, (up * 0.3).to(torch.bfloat16).T)
    assert torch.equal(packed.down, down.flatten(1).to(torch.bfloat16))


def test_rows_are_cut_into_tokens() -> None:
    """Each component's vectors lie in one array, in the order of the manifest."""
    one, two = np.arange(15.0).reshape(5, 3), np.arange(4.0).reshape(2, 2)
    said = (
        ManifestTokens(token="<a>", component="one", count=2),
        ManifestTokens(token="<a>", component="two", count=2),
        ManifestTokens(token="<b>", component="one", count=3),
    )

    packed = pack(Canonical(layers=(), tokens={"one": one, "two": two}), manifest=manifest(*said))

    found = {(x.component, x.token): x.vectors.tolist() for x in packed.tokens}
    assert found == {
        ("one", "<a>"): one[:2].tolist(),
        ("two", "<a>"): two.tolist(),
        ("one", "<b>"): one[2:].tolist(),
    }
    assert (packed.slab, packed.changes_weights, packed.rank_rows) == (None, False, 0)


def test_gaps_of_a_slab_hold_nothing(block: Block) -> None:
    """What is kept on disk has no bytes of other things between its views."""
    made = adapter_for(block, name="a", rank=1, axis="outputs")

    assert made.slab is not None
    gaps = made.slab.clone()
    for view in dict(named_views(seen_in(made, gaps))).values():
        view.fill_(0)

    assert made.slab.any()
    assert not gaps.any()
