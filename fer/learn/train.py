"""The training loop, to be read from top to bottom."""

import math
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fer.card import ModelCard
from fer.data.dataset import USES, require_splits
from fer.data.faceset import FaceSet
from fer.emotions import CLASSES
from fer.judge import metrics
from fer.learn import checkpoint, model
from fer.learn.augment import Augmenter, mix, normalise
from fer.learn.config import ConfigError, TrainConfig
from fer.learn.devices import Device
from fer.learn.initial import InitialWeights
from fer.learn.optimizer import average_into, make_optimizer, make_scheduler
from fer.learn.step_events import StepEvents
from fer.learn.targets import Teacher, soft_targets

# Normalisation as in the article: (x / 255 - 0.5) / 0.5 is in -1..1.
MEAN, STD = 0.5, 0.5
SHEET_PER_CLASS = 4

Emit = Callable[..., None]


class TrainingDivergedError(Exception):
    """The loss is no longer finite."""


def fit(
    config: TrainConfig,
    faces: FaceSet,
    device: Device,
    folder: Path,
    emit: Emit,
    resume: bool = False,
    teacher: Teacher | None = None,
    initial: InitialWeights | None = None,
) -> ModelCard | None:
    """Trains on Training, validates on PublicTest after each epoch, and keeps the weights of the best epoch.

    faces: must contain both splits; PrivateTest is never used.
    folder: receives best.safetensors and, after each epoch, state.safetensors, from which `resume` continues.
    emit: called as emit(kind, **values) for the events 'start', 'step', 'epoch' and 'checkpoint' of the run log.
    teacher: the answers from fer.learn.teacher for the Training faces; used with config.teacher_weight.
    initial: trained weights to start from instead of fresh ones; a resumed run needs only their card.
    Returns the card of the best weights. Raises DatasetError if a split is missing, TrainingDivergedError, and
    SaveError if the folder cannot be written. KeyboardInterrupt passes through. However the training ends, the files
    on disk are complete: the best weights, and the state of the last epoch that could be saved.

    Under torchrun every rank calls this inside ranks.joined. A step has config.batch_size faces in total; only rank 0
    writes files, and the other ranks get None. Raises DeviceError if the arguments differ between ranks.
    """
    if config.batch_size < device.ranks:
        raise ConfigError(f"batch_size: expected at least one face a rank, got {config.batch_size} for {device.ranks}")
    require_splits(faces, USES["training"], "training")
    train, valid = (faces.split(name) for name in USES["training"])
    on_device = device.torch_device

    # All data is moved to the device before the loop starts, faces as uint8.
    train_images = torch.tensor(train.images, device=on_device)  # (N, 48, 48) uint8
    valid_images = torch.tensor(valid.images, device=on_device)
    valid_labels = torch.tensor(valid.labels, device=on_device)
    targets = torch.tensor(soft_targets(train, config, teacher), device=on_device)  # (N, 7) float32
    sheet = validation_sheet(valid.labels)
    augment = Augmenter(train_images, config, MEAN, STD)

    network = model.build(config.width, config.dropout, config.seed, config.groups)
    if initial:
        network.load_state_dict(initial.network.state_dict())
    network = network.to(on_device).to(memory_format=torch.channels_last)
    if config.compile:
        device.compile(network)
    optimizer = make_optimizer(network, config, device.bf16)
    steps = math.ceil(len(train) / config.batch_size)
    scheduler = make_scheduler(optimizer, config, steps)
    modules: dict[str, nn.Module] = {"network": network}
    kept: nn.Module = network  # the weights that are validated and kept
    if config.ema_decay:
        modules["average"] = kept = deepcopy(network)  # unlike the network, it is not compiled

    start_epoch, best_accuracy = 0, 0.0
    if resume:
        progress = checkpoint.load_state(folder / checkpoint.STATE_NAME, modules, optimizer, scheduler)
        start_epoch, best_accuracy = progress.next_epoch, progress.best_accuracy
    fingerprint = faces.fingerprint()
    device.check_same(config=config, data=fingerprint, epoch=start_epoch)
    spread = device.spread(network)  # used for training; with a single rank it is the network itself
    emit(
        "start",
        config=config.to_dict(),
        hardware=device.describe(),
        parameters=model.count_parameters(network),
        data_sha256=fingerprint,
        faces={"Training": len(train), "PublicTest": len(valid)},
        steps_per_epoch=steps,
        start_epoch=start_epoch,
        best_accuracy=best_accuracy,
    )

    for epoch in range(start_epoch, config.epochs):
        started = time.perf_counter()
        step_events = StepEvents(device, emit, epoch, steps)
        # Each epoch seeds its random numbers, so a resumed run draws the same ones.
        epoch_seed = config.seed * 100_003 + epoch
        torch.manual_seed(epoch_seed * device.ranks + device.rank)  # dropout masks differ between ranks
        generator = device.generator(epoch_seed)
        order = torch.randperm(len(train), device=on_device, generator=generator)
        loss_sum = torch.zeros((), device=on_device)
        norm_sum = torch.zeros((), device=on_device)

        network.train()
        for step, index in enumerate(order.split(config.batch_size)):
            # Each rank augments the whole batch, to draw the same numbers as a single process, and trains on its share.
            mine = device.share(len(index))
            x, asked = mix(augment(index, generator), targets[index], config.mixup, config.cutmix, generator)
            with device.autocast():
                logits = spread(x[mine])  # (B, 7)
            # Shares may differ by one face, so sums are used; their mean over the ranks is the loss of the batch.
            loss = F.cross_entropy(logits.float(), asked[mine], reduction="sum") / (len(index) / device.ranks)

            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            norm_sum += torch.nn.utils.get_total_norm([p.grad for p in network.parameters() if p.grad is not None])
            if config.clip_value:
                nn.utils.clip_grad_value_(network.parameters(), config.clip_value)
            before = [p.detach().clone() for p in network.parameters()] if step == steps - 1 else []
            lr = scheduler.get_last_lr()[0]
            optimizer.step()
            scheduler.step()
            if config.ema_decay:
                average_into(kept, network, config.ema_decay, epoch * steps + step)

            loss_sum += loss.detach() * len(index)
            step_events.after(step, step * config.batch_size + len(index), loss_sum)
        device.synchronise()  # GPU work is queued: without this only the queueing would be timed
        train_s = time.perf_counter() - started

        kept.eval()
        mine = device.share(len(valid))
        logits = device.gathered(predict(kept, valid_images[mine], device), len(valid))  # (N, 7)
        probabilities = logits.softmax(1)
        matrix = torch.bincount(valid_labels * len(CLASSES) + logits.argmax(1), minlength=len(CLASSES) ** 2)
        report = torch.cat([
            (device.total(loss_sum) / device.ranks / len(train))[None],
            F.cross_entropy(logits, valid_labels)[None],
            (norm_sum / steps)[None],
            update_ratio(before, network)[None],
            matrix.float(),
            probabilities[sheet].flatten(),
        ]).tolist()  # fmt: skip  # the only device-to-host sync of the epoch
        train_loss, valid_loss, grad_norm, ratio = report[:4]
        confusion = np.array(report[4 : 4 + len(matrix)], dtype=np.int64).reshape(len(CLASSES), -1)
        accuracy = float(confusion.trace() / confusion.sum())

        emit(
            "epoch",
            epoch=epoch,
            epochs=config.epochs,
            lr=lr,
            train_loss=train_loss,
            valid_loss=valid_loss,
            valid_accuracy=accuracy,
            images_per_s=len(train) / train_s,
            elapsed_s=time.perf_counter() - started,
            memory_mb=device.memory_mb(),
            recall=metrics.class_figures(confusion).recall.tolist(),
            confusion=confusion.tolist(),
            grad_norm=grad_norm,
            update_ratio=ratio,
            sheet={
                "rows": valid.rows[sheet].tolist(),
                "labels": valid.labels[sheet].tolist(),
                "probabilities": np.round(report[4 + len(matrix) :], 4).reshape(len(sheet), -1).tolist(),
            },
        )
        if not math.isfinite(train_loss + valid_loss):
            raise TrainingDivergedError(
                f"after epoch {epoch + 1} the loss is not finite (training {train_loss}, validation {valid_loss}); "
                "lower --lr-peak or set --clip-value 0.1"
            )
        if device.rank:
            continue
        if accuracy > best_accuracy:
            best_accuracy = accuracy
            card = make_card(config, network, epoch, best_accuracy, teacher, initial)
            checkpoint.save_weights(folder / checkpoint.WEIGHTS_NAME, kept, card)
            emit("checkpoint", epoch=epoch, path=checkpoint.WEIGHTS_NAME, valid_accuracy=accuracy)
        progress = checkpoint.Progress(config, epoch + 1, best_accuracy)
        checkpoint.save_state(folder / checkpoint.STATE_NAME, progress, modules, optimizer, scheduler)

    return None if device.rank else checkpoint.load_weights(folder / checkpoint.WEIGHTS_NAME)[1]


@torch.inference_mode()
def predict(network: nn.Module, images: Tensor, device: Device, batch_size: int = 512) -> Tensor:
    """Logits float32 (N, 7) for uint8 faces (N, 48, 48), both on the device."""
    with device.autocast():
        batches = [network(normalise(batch, MEAN, STD)) for batch in images.split(batch_size)]
    return torch.cat(batches).float()


def update_ratio(before: list[Tensor], network: nn.Module) -> Tensor:
    """The norm of the last step divided by the norm of the weights; about 1e-3 in a healthy run."""
    after = [p.detach() for p in network.parameters()]
    change = torch.nn.utils.get_total_norm([a - b for a, b in zip(after, before, strict=True)])
    return change / torch.nn.utils.get_total_norm(before)


def validation_sheet(labels: np.ndarray) -> np.ndarray:
    """Positions of the first few validation faces of each class: the same faces in every run."""
    return np.concatenate([np.flatnonzero(labels == c)[:SHEET_PER_CLASS] for c in range(len(CLASSES))])


def make_card(
    config: TrainConfig,
    network: model.ResNet9,
    epoch: int,
    accuracy: float,
    teacher: Teacher | None = None,
    initial: InitialWeights | None = None,
) -> ModelCard:
    """The card after training; scripts/evaluate.py adds temperature, threshold, framing and results."""
    knows_votes = bool(
        config.votes_weight or (teacher and teacher.knows_votes) or (initial and initial.card.learned_from_votes)
    )
    distilled = bool(config.teacher_weight or (initial and initial.card.learned_from_teachers))
    return ModelCard(
        name=f"resnet9-{config.preset}",
        architecture=model.description(network),
        parameters=model.count_parameters(network),
        mean=MEAN,
        std=STD,
        training_data="FER2013, Training split"
        + (" and its FER+ votes" if knows_votes else "")
        + ("; distilled from networks that learned from the same" if distilled else ""),
        learned_from_votes=knows_votes,
        learned_from_teachers=distilled,
        protocol=(f"{initial.words()} " if initial else "")
        + f"Fitted on Training; epoch {epoch + 1} of {config.epochs} chosen by PublicTest accuracy.",
        metrics={"PublicTest": {"accuracy_while_training": accuracy}},
        config=config.to_dict(),
    )
