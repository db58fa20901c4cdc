# Reinforcement learning: the mathematics of MDPs
#
# INPUTS   none
# OUTPUTS  the tables of the post in results/mdp/metrics
# STEPS    one each


rule backup_diagram:
    """Follow the mean of random numbers."""
    input:
        code=code("mdp.backup_diagram"),
    output:
        table=update(f"{RESULTS}/mdp/metrics/backup_diagram.csv"),
    log:
        f"logs/backup_diagram/{RESULTS}.log",
    params:
        settings=section("mdp.backup_diagram"),
    shell:
        job("mdp.backup_diagram --settings {params.settings:q} --out {output.table}")
