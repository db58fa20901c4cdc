# postproof: every chart and every number of the posts, rebuilt and judged.
#
#   data/raw/                                           fetched from pinned packages, checked by sha256
#   data/prepared/                                      what the runs read
#   results/{post}/runs/{experiment}/{arm}-seed{seed}.csv, .safetensors
#   results/{post}/metrics/{experiment}.csv             tidy table over arms and seeds
#   results/{post}/figures/{stem}.svg, .png             drawn from metrics only
#   results/{post}/claims.json                          one verdict per claim
#
# A rule reads only the stage before it, plus params.yaml, claims/*.yaml and its own code.
# `snakemake --cores` rebuilds all of it; the same jobs stand in dvc.yaml.

include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/mixtral.smk"
include: "workflow/rules/claims.smk"


rule all:
    default_target: True
    input:
        RACE_RUNS,
        MIXTRAL_FIGURES,
        f"{RESULTS}/mixtral/claims.json",
