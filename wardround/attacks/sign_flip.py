"""Sign flipping: a malicious site sends the opposite of what it learnt: Allen-Zhu et al. 2020 (arXiv:2012.14368)."""

from __future__ import annotations

from torch import Tensor


def sign_flip(own: Tensor, *, strength: float = 4.0) -> Tensor:
    """-strength times the site's own change, (d,). Needs no knowledge of other sites."""
    return own * -strength
