"""The training page's text about the training that ships with the app."""

from fer.runs.run import Run
from fer.runs.shipped import WEIGHTS
from webui.parts.charts import percent


def shipped_words(run: Run, digest: str, groups: int = 1) -> str:
    """Which training it is, and how it was done.

    digest: SHA-256 of the shipped weights. groups: how many networks, trained one by one, they hold side by side.
    """
    best = run.best
    seed = run.config.get("seed", "?")
    figures = f"preset {run.preset}, seed {seed}, {run.total_epochs} epochs"
    if best:
        figures += f", {percent(best.valid_accuracy, 2)} of PublicTest in epoch {best.number}"
    if digest and run.start.get(WEIGHTS) == digest:
        network = "the network that ships" if groups == 1 else f"one of the {groups} networks that ship side by side"
        return f"**{run.name}** is the training run of {network} with this app: {figures}."
    return (
        f"**{run.name}** comes with the app: a run with the same recipe as the shipped network's, whose own log was "
        f"not kept ({figures})."
    )
