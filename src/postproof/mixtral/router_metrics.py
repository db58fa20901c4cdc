"""Turn the router-balance runs into tidy tables: the posted figures, statistics by layer and slot, experts' shares.

Shapes: C windows (the untrained model, then the steps up to each checkpoint), L layers, K slots, V vocabulary,
E experts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from postproof.core import files, runs, tables
from postproof.core.errors import ArtefactError
from postproof.mixtral.routing import busiest_share, entropy_nats, mutual_information_nats, quietest_share

# Which run stands for which arm. no_aux is the same run under the first two protocols.
PROTOCOLS = {
    "paired": {"no_aux": "no_aux", "with_aux": "with_aux"},
    "by_layer": {"no_aux": "no_aux", "with_aux": "with_aux_by_layer"},
    "as_run": {"no_aux": "no_aux", "with_aux": "with_aux"},
}
RUN_NUMBERS = ["step", "train_loss", "val_loss_fixed_windows"]
TENSORS = ("choices_CLKVE", "aux_loss_CL", "aux_loss_pooled_C1", "aux_loss_last_C1")


def add_arguments(parser) -> None:
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="CSV of every run that counts")
    parser.add_argument("--routing", type=Path, nargs="+", required=True, help="their routing files")
    parser.add_argument("--protocols", nargs="+", choices=PROTOCOLS, required=True, help="under which the runs count")
    parser.add_argument("--out-balance", type=Path, required=True, help="tidy CSV of losses and pooled statistics")
    parser.add_argument("--out-layers", type=Path, required=True, help="tidy CSV of statistics by layer")
    parser.add_argument("--out-usage", type=Path, required=True, help="tidy CSV of each expert's share")


def main(args) -> None:
    """Raises ArtefactError when a file is damaged, or is not the run that its name says."""
    losses = {path.stem: read_losses(path) for path in args.runs}
    routing = {path.name.partition(".")[0]: read_routing(path) for path in args.routing}
    if losses.keys() != routing.keys():
        raise ArtefactError(
            "runs and routing files are not of the same runs", found=", ".join(losses.keys() ^ routing.keys())
        )
    layers = {run: by_layer(*content) for run, content in routing.items()}
    balance = {run: losses[run].merge(pooled(layers[run], *routing[run]), on="step", validate="1:1") for run in losses}
    usage = {run: expert_usage(*content) for run, content in routing.items()}
    tables.write(args.out_balance, by_protocol(balance, args.protocols), "mixtral/router_balance")
    tables.write(args.out_layers, by_protocol(layers, args.protocols), "mixtral/router_by_layer")
    tables.write(args.out_usage, by_protocol(usage, args.protocols), "mixtral/expert_usage")


def read_losses(path: Path) -> pd.DataFrame:
    """Losses and perplexities of one run by step. Raises ArtefactError when it is damaged or another run."""
    run = runs.read(path, RUN_NUMBERS)
    drawn = run.get("val_loss_as_posted", np.nan)
    return run[["step", "train_loss"]].assign(
        val_loss=drawn,
        val_perplexity=np.exp(drawn),
        val_perplexity_fixed_windows=np.exp(run["val_loss_fixed_windows"]),
    )


def read_routing(path: Path) -> tuple[list[int], dict[str, np.ndarray]]:
    """The step at the end of each window, and the counts of routing.RoutingCounts with a first axis C."""
    tensors, about = files.load_tensors(path)
    runs.must_be_named(path, [(about["arm"], about["seed"])])
    missing = [name for name in TENSORS if name not in tensors or len(tensors[name]) != len(about["steps"])]
    if missing:
        raise ArtefactError("routing file lacks windows", file=path, tensors=", ".join(missing))
    return about["steps"], {name: tensors[name].numpy() for name in TENSORS}


def by_layer(steps: Sequence[int], routing: dict[str, np.ndarray]) -> pd.DataFrame:
    """A row per window and layer; layer `all` pools the choices, and the rows for the auxiliary loss.

    Statistics are of both slots together; the busiest share of the first slot alone is the true top-1 share, the
    largest f_i.
    """

    def rows() -> Iterator[dict]:
        for window, step in enumerate(steps):
            choices_LKVE, aux_loss_L = routing["choices_CLKVE"][window], routing["aux_loss_CL"][window]
            layers = {"all": (choices_LKVE.sum(axis=0), routing["aux_loss_pooled_C1"][window, 0])}
            layers |= {str(index): pair for index, pair in enumerate(zip(choices_LKVE, aux_loss_L), start=1)}
            for layer, (choices_KVE, aux_loss) in layers.items():
                row = {"step": step, "layer": layer, "aux_loss": aux_loss}
                choices_VE, first_VE = choices_KVE.sum(axis=0), choices_KVE[0]
                choices_E = choices_VE.sum(axis=0)
                row["entropy"] = float(entropy_nats(choices_E))
                row["busiest_share"] = float(busiest_share(choices_E))
                row["quietest_share"] = float(quietest_share(choices_E))
                row["mutual_information"] = mutual_information_nats(choices_VE)
                row["busiest_share_slot1"] = float(busiest_share(first_VE.sum(axis=0)))
                row["mutual_information_slot1"] = mutual_information_nats(first_VE)
                yield row

    return pd.DataFrame(rows())


def pooled(layers: pd.DataFrame, steps: Sequence[int], routing: dict[str, np.ndarray]) -> pd.DataFrame:
    """The posted statistics: over both slots, all layers and the steps since the checkpoint before.

    The posted auxiliary loss is that of the last step alone.
    """
    last = pd.DataFrame({"step": steps, "aux_loss_last_step": routing["aux_loss_last_C1"][:, 0]})
    of_all = layers.loc[(layers["layer"] == "all") & (layers["step"] > 0)]
    columns = ["step", "aux_loss_last_step", "entropy", "busiest_share"]
    return of_all.merge(last, on="step", validate="1:1")[columns]


def expert_usage(steps: Sequence[int], routing: dict[str, np.ndarray]) -> pd.DataFrame:
    """A row per window, layer and expert: its share of the choices."""
    choices_CLE = routing["choices_CLKVE"].sum(axis=(2, 3))
    C, L, E = choices_CLE.shape
    index = pd.MultiIndex.from_product([steps, range(1, L + 1), range(E)], names=["step", "layer", "expert"])
    shares_CLE = choices_CLE / choices_CLE.sum(axis=-1, keepdims=True)
    return pd.DataFrame({"share": shares_CLE.ravel()}, index=index).reset_index()


def by_protocol(tables: dict[str, pd.DataFrame], protocols: Sequence[str]) -> pd.DataFrame:
    """The runs' tables under the arm and protocol that each stands for, ordered by arm, seed and protocol."""
    parts = []
    for run, table in tables.items():
        run_arm, _, seed = run.rpartition("-seed")
        for protocol in protocols:
            for arm, standing_for in PROTOCOLS[protocol].items():
                if standing_for == run_arm:
                    columns = {"arm": arm, "seed": int(seed), "protocol": protocol}
                    parts.append(pd.DataFrame(columns, index=table.index).join(table))
    return pd.concat(parts).sort_values(["arm", "seed", "protocol"], kind="stable", ignore_index=True)
