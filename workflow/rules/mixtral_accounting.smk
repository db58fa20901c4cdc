# Parameters and FLOPs counted, and the worked token.
#
# INPUTS   data/configurations, data/prepared/mixtral_corpus.json (size of the vocabulary)
# OUTPUTS  the tables parameters, flop_breakdown, step_elements, worked_token
# STEPS    one each
rule count_parameters:
    """Count the parameters of Mixtral 8x7B and of both arms, term by term."""
    input:
        configuration="data/configurations/mixtral_8x7b.yaml",
        corpus="data/prepared/mixtral_corpus.json",
        code=code("mixtral.parameters"),
    output:
        update(f"{RESULTS}/mixtral/metrics/parameters.csv"),
    log:
        f"logs/count_parameters/{RESULTS}.log",
    params:
        model=section("mixtral.model"),
    shell:
        "{POSTPROOF} --log {log} mixtral.parameters --configuration {input.configuration} --model {params.model:q}"
        " --corpus-info {input.corpus} --out {output}"


rule count_step:
    """Count the FLOPs, or the elements that other operations write, of one training step, part by part."""
    input:
        corpus="data/prepared/mixtral_corpus.json",
        code=lambda wildcards: code(f"mixtral.{wildcards.what}"),
    output:
        update(f"{RESULTS}/mixtral/metrics/{{what}}.csv"),
    log:
        f"logs/count_step/{RESULTS}/{{what}}.log",
    wildcard_constraints:
        what="flop_breakdown|step_elements",
    params:
        model=section("mixtral.model"),
        batch=section("mixtral.race.training.batch"),
    shell:
        "{POSTPROOF} --log {log} mixtral.{wildcards.what} --model {params.model:q} --batch {params.batch}"
        " --corpus-info {input.corpus} --out {output}"


rule worked_token:
    """Route the post's example of one token."""
    input:
        code=code("mixtral.worked_token"),
    output:
        update(f"{RESULTS}/mixtral/metrics/worked_token.csv"),
    log:
        f"logs/worked_token/{RESULTS}.log",
    params:
        logits=section("mixtral.worked_token.logits"),
        top_k=section("mixtral.model.top_k"),
    shell:
        "{POSTPROOF} --log {log} mixtral.worked_token --logits {params.logits:q} --top-k {params.top_k} --out {output}"
