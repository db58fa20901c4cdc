"""The pins of exact mode hold on whatever processor the suite runs."""

import os
import subprocess
import sys

import pytest
import torch
from torch.nn import functional as F

from postproof.core import exact


@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-6), (torch.bfloat16, 1e-2)])
def test_fused_attention_is_attention(dtype, tolerance):
    """Where ATen was pinned and oneDNN was not, a processor with AMX raised RuntimeError for bfloat16 at this size."""
    assert exact.pinned()
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(1, 8, 64, 64, generator=generator).to(dtype) for _ in range(3))
    expected = (q.double() @ k.double().mT / 8).softmax(dim=-1) @ v.double()
    ours = F.scaled_dot_product_attention(q, k, v).double()
    torch.testing.assert_close(ours, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    "report, pinned",
    [
        ("torch.backends.cpu.get_cpu_capability()", "AVX2"),
        ("torch.ones(2, 2).to_mkldnn().to_dense()", "isa:Intel AVX2"),  # oneDNN says itself what it uses
    ],
)
def test_the_dispatchers_report_the_pinned_kernels(report, pinned):
    code = f"from postproof.core import exact; exact.pin(); import torch; print({report})"
    inherited = {name: value for name, value in os.environ.items() if name not in exact.ENVIRONMENT}
    done = subprocess.run([sys.executable, "-c", code], env=inherited | {"ONEDNN_VERBOSE": "1"},
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert pinned in done.stdout
