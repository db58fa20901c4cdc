# Exploration vs. exploitation: multi-armed bandits
#
# INPUTS   none
# OUTPUTS  the tables of the post in results/bandits/metrics
# STEPS    one each


rule testbed:
    """Follow the mean of random numbers."""
    input:
        code=code("bandits.testbed"),
    output:
        table=update(f"{RESULTS}/bandits/metrics/testbed.csv"),
    log:
        f"logs/testbed/{RESULTS}.log",
    params:
        settings=section("bandits.testbed"),
    shell:
        job("bandits.testbed --settings {params.settings:q} --out {output.table}")
