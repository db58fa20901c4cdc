# The text of the mixtral runs as character tokens.
#
# INPUTS   the text that mixtral.corpus.source names, or a data hub
# OUTPUTS  data/prepared/mixtral_{corpus,full}.{safetensors,json}
# STEPS    [hub_text] -> prepare_corpus; `full` is the longer one for large budgets


rule hub_text:
    """Fetch the start of a corpus from a data hub: as much as the longest use of it needs."""
    input:
        code=code("data.hub"),
    output:
        text=update("data/raw/{corpus}.txt"),
    log:
        "logs/hub_text/{corpus}.log",
    wildcard_constraints:
        corpus=Among("mixtral.corpus.from_hub"),
    params:
        corpus=section("mixtral.corpus.characters"),
        full=section("mixtral.full.characters"),
    shell:
        job("data.hub --corpus {wildcards.corpus} --characters {params.corpus} {params.full} --out {output.text}")


rule prepare_corpus:
    """Turn the start of the text into character tokens and split it."""
    input:
        code=code("data.prepare_corpus"),
        text=chosen("mixtral.corpus.source"),
    output:
        arrays=update("data/prepared/mixtral_{corpus}.safetensors"),
        info=update("data/prepared/mixtral_{corpus}.json"),
    log:
        "logs/prepare_corpus/{corpus}.log",
    wildcard_constraints:
        corpus="corpus|full",
    params:
        characters=section("mixtral.{corpus}.characters"),
        train_fraction=section("mixtral.corpus.train_fraction"),
    shell:
        job(
            "data.prepare_corpus --text {input.text} --section mixtral.{wildcards.corpus}"
            " --characters {params.characters} --train-fraction {params.train_fraction}"
            " --out-arrays {output.arrays} --out-info {output.info}"
        )
