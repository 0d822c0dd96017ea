"""Training: follow runs, compare them, and if the operator allows it start, stop and resume them."""

from pathlib import Path

import streamlit as st

from fer.data.dataset import USES, data_folder, require_splits
from fer.data.faceset import DatasetError
from fer.runs import launch
from fer.runs.folder import RunsFolder, runs_folder
from fer.runs.run import Run, State, alarms, plain
from fer.runs.shipped import NAME, shipped_run
from webui.dataset import data as dataset_data
from webui.frame import weights
from webui.frame.layout import empty_state, no_dataset, page_head, show_error
from webui.frame.session import session
from webui.parts.controls import one_of
from webui.training import charts, views
from webui.training.actions import show_actions
from webui.training.form import training_form

LOOK_EVERY_S = 1.0


@st.cache_resource(show_spinner=False)
def followed(folder: str) -> RunsFolder:
    """One per server: sessions that view the same runs read each log once."""
    return RunsFolder(Path(folder))


@st.cache_data(show_spinner=False)
def shipped_training() -> Run | None:
    """The training that ships with the app: read once per server."""
    return shipped_run()


@st.cache_resource(show_spinner=False)
def launcher(runs: str, data: str) -> launch.Launcher:
    return launch.Launcher(Path(runs), Path(data))


def main() -> None:
    page_head(
        "Training",
        "Watch a network learn: curves that grow as it trains, what it confuses, and how runs differ.",
    )
    session().training.drawn = False
    launcher_ = starter() if launch.allowed() else None
    runs, news = look(launcher_)
    if launcher_:
        show_starter(launcher_, has_runs=bool(runs))
    if not runs:
        show_none_yet()
    shipped = shipped_training()
    if shipped and NAME not in (run.name for run in runs):
        runs = [*runs, shipped]
    chosen: list[Run] = views.choose_runs(runs) if runs else []
    if shipped in chosen:
        ours = weights.shipped()
        groups = ours.card.config.get("groups")  # missing in cards of earlier versions
        st.caption(views.shipped_words(shipped, ours.digest, groups if isinstance(groups, int) else 1))
    watch(news, [run.name for run in chosen])
    if chosen:
        show_chosen(chosen, launcher_, shipped)
    elif runs:
        st.caption("Tick runs in the table to show them.")
    if not launcher_:
        st.caption(
            "Training from this page is switched off. Whoever runs the app can allow it with `FER_ALLOW_TRAINING=1`."
        )
    session().training.drawn = True


def show_starter(launcher_: launch.Launcher, has_runs: bool) -> None:
    with st.expander("Start a training", icon=":material/rocket_launch:", expanded=not has_runs):
        if set_is_fit() and (name := training_form(launcher_)):
            views.choose([name])
            st.toast(f"{name} is starting.", icon="🚀")
    for name, words in launcher_.failures().items():
        st.error(f"**{name}** ended badly.", icon=":material/error:")
        st.code(words, language=None, wrap_lines=True)
        if st.button("Dismiss", key=f"training_dismiss_{name}"):
            launcher_.forget(name)
            st.rerun()


def set_is_fit() -> bool:
    """Whether the prepared set can be trained on; if not, says why and what to do, before a run fails."""
    try:
        found = dataset_data.faces()
        if found is None:
            no_dataset()
            return False
        require_splits(found, USES["training"], "training")
    except DatasetError as error:
        show_error(error)
        return False
    return True


def starter() -> launch.Launcher:
    return launcher(str(runs_folder().absolute()), str(data_folder().absolute()))


def look(launcher_: launch.Launcher | None) -> tuple[list[Run], tuple[object, ...]]:
    """The current runs, and a value that changes when more than a progress bar must be redrawn."""
    folder = followed(str(runs_folder().absolute()))
    runs = folder.refresh()
    return runs, (folder.version, sorted(launcher_.failures()) if launcher_ else [])


@st.fragment(run_every=LOOK_EVERY_S)
def watch(news: tuple[object, ...], chosen: list[str]) -> None:
    """Moves the progress bars and checks for changes; the page is redrawn only if there are any, so an idle
    page costs next to nothing."""
    launcher_ = starter() if launch.allowed() else None
    runs, newest = look(launcher_)
    for run in runs:
        if run.state is State.RUNNING and run.name in chosen:
            st.progress(run.progress, text=views.progress_words(run))
    for name in launcher_.without_log({run.name for run in runs}) if launcher_ else ():
        st.progress(0.0, text=f"{name}: starting")
    if newest != news and session().training.drawn:  # changes during a redraw wait for the next check
        st.rerun()


def show_none_yet() -> None:
    empty_state(
        "🏃",
        "No runs of your own yet",
        f"Runs appear here as soon as a training starts and writes into {runs_folder()}/. Below is one that came with "
        "the app.",
    )
    st.code(f"python scripts/train.py --preset smoke --runs {runs_folder()}", language="bash", wrap_lines=True)


def show_chosen(runs: list[Run], launcher_: launch.Launcher | None, shipped: Run | None) -> None:
    for run in runs:
        for alarm in alarms(run):
            show = st.error if alarm.fatal else st.warning
            show(f"**{plain(run.name)}**: {plain(alarm.words)}", icon=":material/warning:")
    views.show_legend(runs, lambda run: None if run is shipped else show_actions(run, launcher_))
    view = one_of(
        "View",
        list(views.VIEWS),
        key="training_view",
        format_func=lambda name: f"{views.VIEWS[name]} {name}",
        label_visibility="collapsed",
    )
    started = [run for run in runs if run.epochs]
    if view == "Settings":
        views.show_settings(runs)
    elif not started:
        empty_state("⏳", "No whole epoch yet", "Curves begin at the end of the first one.")
    elif view in ("Curves", "Health"):
        views.show_curves(started, charts.CURVES if view == "Curves" else charts.HEALTH, view)
    else:
        run = views.pick_run(started, view)
        (views.show_confusion if view == "Confusion" else views.show_faces)(run)


main()
