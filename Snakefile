# postproof: every chart and every number of the posts, rebuilt and judged.
#
#   data/raw/                                           fetched from pinned packages, checked by sha256
#   data/prepared/                                      what the runs read
#   data/configurations/, data/measured/{name}/         public facts; what was measured on a named machine
#   data/posted/, data/recorded/                        the posts' tables; runs on inputs that cannot be shipped
#   results/{post}/runs/{experiment}/{arm}-seed{seed}.csv, .safetensors
#   results/{post}/metrics/{table}.csv                  tidy table over arms and seeds
#   results/{post}/figures/{chart}.svg, .png            drawn from metrics and measured tables only
#   results/{post}/interactive/{chart}.html             the same for pointer and keyboard; results/interactive.js: its script
#   results/{post}/claims.json, README.md               one verdict per claim; charts and verdicts in the post's order
#   results/site/index.html, {post}.html                the pages of all posts, opened from the disk
#   build/code/{command}.txt                            which code a command runs: an input of its jobs
#
# A rule reads only the stage before it, plus params.yaml, claims/*.yaml and its own code. A post is claims/{post}.yaml;
# its rules are workflow/rules/{post}.smk. `snakemake --cores` rebuilds all of it; dvc.yaml is made from these jobs.
import sys

# The code of this checkout, whatever is installed; and not what lies beside this file, which Snakemake puts first.
sys.path[:] = [f"{workflow.basedir}/src", *(path for path in sys.path if path not in ("", workflow.basedir))]


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"


for post in POSTS:
    for rule_file in inventory.rule_files(ROOT, post):

        include: rule_file


include: "workflow/rules/charts.smk"
include: "workflow/rules/claims.smk"
include: "workflow/rules/site.smk"


rule all:
    default_target: True
    input:
        [f"{RESULTS}/{post}/figures/{chart}.svg" for post, chart in CHARTS],
        [f"{RESULTS}/interactive.js"] if TWINS else [],
        expand(f"{RESULTS}/{{post}}/README.md", post=POSTS),
        rules.pages.input,
