# postproof: every chart and every number of the posts, rebuilt and judged.
#
#   data/raw/                                           fetched from pinned packages, checked by sha256
#   data/prepared/                                      what the runs read
#   data/configurations/, data/measured/{stem}/         public facts; what was measured on a named machine
#   results/{post}/runs/{experiment}/{arm}-seed{seed}.csv, .safetensors
#   results/{post}/metrics/{experiment}.csv             tidy table over arms and seeds
#   results/{post}/figures/{stem}.svg, .png             drawn from metrics and measured tables only
#   results/{post}/claims.json                          one verdict per claim
#
# A rule reads only the stage before it, plus params.yaml, claims/*.yaml and its own code.
# `snakemake --cores` rebuilds all of it; the same jobs stand in dvc.yaml.

include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/mixtral.smk"
include: "workflow/rules/mixtral_routing.smk"
include: "workflow/rules/mixtral_accounting.smk"
include: "workflow/rules/llama2.smk"
include: "workflow/rules/llama2_real_weights.smk"
include: "workflow/rules/attention.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/claims.smk"


rule all:
    default_target: True
    input:
        [f"{RESULTS}/{post}/figures/{stem}.svg" for post, stems in FIGURES.items() for stem in stems],
        expand(f"{RESULTS}/{{post}}/claims.json", post=FIGURES),
