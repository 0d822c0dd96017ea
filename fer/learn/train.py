"""The training loop, to be read from top to bottom."""

import math
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

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
    network = model.build(config.width, config.dropout, config.seed, config.groups)
    if initial:
        network.load_state_dict(initial.network.state_dict())
    training = Training(config, faces, device, network, teacher)
    state, weights = folder / checkpoint.STATE_NAME, folder / checkpoint.WEIGHTS_NAME
    progress = checkpoint.Progress(config, 0, 0.0)
    if resume:
        progress = checkpoint.load_state(state, training.modules, training.optimizer, training.scheduler)
    fingerprint = faces.fingerprint()
    device.check_same(config=config, data=fingerprint, epoch=progress.next_epoch)
    spread = device.spread(network)  # used for training; with a single rank it is the network itself
    emit(
        "start",
        config=config.to_dict(),
        hardware=device.describe(),
        parameters=model.count_parameters(network),
        data_sha256=fingerprint,
        faces={"Training": len(training.targets), "PublicTest": len(training.valid)},
        steps_per_epoch=training.steps,
        start_epoch=progress.next_epoch,
        best_accuracy=progress.best_accuracy,
    )
    for epoch in range(progress.next_epoch, config.epochs):
        figures = training.epoch(epoch, spread, emit)
        emit("epoch", epoch=epoch, epochs=config.epochs, **figures)
        train_loss, valid_loss, accuracy = (figures[name] for name in ("train_loss", "valid_loss", "valid_accuracy"))
        if not math.isfinite(train_loss + valid_loss):
            raise TrainingDivergedError(
                f"after epoch {epoch + 1} the loss is not finite (training {train_loss}, validation {valid_loss}); "
                "lower --lr-peak or set --clip-value 0.1"
            )
        if device.rank:
            continue
        if accuracy > progress.best_accuracy:
            card = make_card(config, network, epoch, accuracy, teacher, initial)
            checkpoint.save_weights(weights, training.kept, card)
            emit("checkpoint", epoch=epoch, path=weights.name, valid_accuracy=accuracy)
        progress = checkpoint.Progress(config, epoch + 1, max(accuracy, progress.best_accuracy))
        checkpoint.save_state(state, progress, training.modules, training.optimizer, training.scheduler)

    return None if device.rank else checkpoint.load_weights(weights)[1]


class Training:
    """The network in training, and all that its steps use or change; faces and targets lie on the device."""

    def __init__(
        self, config: TrainConfig, faces: FaceSet, device: Device, network: model.ResNet9, teacher: Teacher | None
    ) -> None:
        self.config, self.device = config, device
        train, self.valid = (faces.split(name) for name in USES["training"])
        on_device = device.torch_device
        # All data is moved to the device before the loop starts, faces (N, 48, 48) as uint8.
        self.augment = Augmenter(torch.tensor(train.images, device=on_device), config, MEAN, STD)
        self.targets = torch.tensor(soft_targets(train, config, teacher), device=on_device)  # (N, 7) float32
        self.valid_images = torch.tensor(self.valid.images, device=on_device)
        self.steps = math.ceil(len(train) / config.batch_size)

        self.network = network.to(on_device).to(memory_format=torch.channels_last)
        if config.compile:
            device.compile(network)
        self.optimizer = make_optimizer(network, config, device.bf16)
        self.scheduler = make_scheduler(self.optimizer, config, self.steps)
        self.modules: dict[str, nn.Module] = {"network": network}
        self.kept: nn.Module = network  # the weights that are validated and kept
        if config.ema_decay:
            self.modules["average"] = self.kept = deepcopy(network)  # unlike the network, it is not compiled

    def epoch(self, epoch: int, spread: nn.Module, emit: Emit) -> dict[str, Any]:
        """Learns from every face once and validates; the values of the run log's event 'epoch'."""
        device, labels = self.device, self.valid.labels
        started = time.perf_counter()
        learned, lr = self.learn(epoch, spread, emit)
        device.synchronise()  # GPU work is queued: without this only the queueing would be timed
        train_s = time.perf_counter() - started

        self.kept.eval()
        mine = predict(self.kept, self.valid_images[device.share(len(labels))], device)
        logits = device.gathered(mine, len(labels)).cpu()  # (N, 7) float32
        train_loss, grad_norm, ratio = learned.tolist()
        confusion = metrics.confusion(labels, logits.argmax(1).numpy())
        # The first few faces of each class: the same ones in every run.
        sheet = np.concatenate([np.flatnonzero(labels == c)[:SHEET_PER_CLASS] for c in range(len(CLASSES))])
        return {
            "lr": lr,
            "train_loss": train_loss,
            "valid_loss": float(F.cross_entropy(logits, torch.tensor(labels))),
            "valid_accuracy": float(confusion.trace() / confusion.sum()),
            "images_per_s": len(self.targets) / train_s,
            "elapsed_s": time.perf_counter() - started,
            "memory_mb": device.memory_mb(),
            "recall": metrics.class_figures(confusion).recall.tolist(),
            "confusion": confusion.tolist(),
            "grad_norm": grad_norm,
            "update_ratio": ratio,
            "sheet": {
                "rows": self.valid.rows[sheet].tolist(),
                "labels": labels[sheet].tolist(),
                "probabilities": np.round(logits[sheet].softmax(1).double().numpy(), 4).tolist(),
            },
        }

    def learn(self, epoch: int, spread: nn.Module, emit: Emit) -> tuple[Tensor, float]:
        """The steps of an epoch: mean loss, mean gradient norm and update ratio, (3,) on the device; the last lr."""
        config, device, network = self.config, self.device, self.network
        step_events = StepEvents(device, emit, epoch, self.steps)
        # Each epoch seeds its random numbers, so a resumed run draws the same ones.
        epoch_seed = config.seed * 100_003 + epoch
        torch.manual_seed(epoch_seed * device.ranks + device.rank)  # dropout masks differ between ranks
        generator = device.generator(epoch_seed)
        order = torch.randperm(len(self.targets), device=device.torch_device, generator=generator)
        loss_sum, norm_sum = torch.zeros(2, device=device.torch_device)

        network.train()
        for step, index in enumerate(order.split(config.batch_size)):
            # Each rank augments the whole batch, to draw the same numbers as a single process, and trains on its share.
            mine = device.share(len(index))
            x = self.augment(index, generator)
            x, asked = mix(x, self.targets[index], config.mixup, config.cutmix, generator)
            with device.autocast():
                logits = spread(x[mine])  # (B, 7)
            # Shares may differ by one face, so sums are used; their mean over the ranks is the loss of the batch.
            loss = F.cross_entropy(logits.float(), asked[mine], reduction="sum") / (len(index) / device.ranks)

            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            norm_sum += torch.nn.utils.get_total_norm([p.grad for p in network.parameters() if p.grad is not None])
            if config.clip_value:
                nn.utils.clip_grad_value_(network.parameters(), config.clip_value)
            before = [p.detach().clone() for p in network.parameters()] if step == self.steps - 1 else []
            lr = float(self.scheduler.get_last_lr()[0])
            self.optimizer.step()
            self.scheduler.step()
            if config.ema_decay:
                average_into(self.kept, network, config.ema_decay, epoch * self.steps + step)

            loss_sum += loss.detach() * len(index)
            step_events.after(step, step * config.batch_size + len(index), loss_sum)
        train_loss = device.total(loss_sum) / device.ranks / len(self.targets)
        return torch.stack([train_loss, norm_sum / self.steps, update_ratio(before, network)]), lr


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


def make_card(
    config: TrainConfig,
    network: model.ResNet9,
    epoch: int,
    accuracy: float,
    teacher: Teacher | None = None,
    initial: InitialWeights | None = None,
) -> ModelCard:
    """The card after training; scripts/evaluate.py adds temperature, threshold, framing and results."""
    knows_votes = any(
        [config.votes_weight, teacher and teacher.knows_votes, initial and initial.card.learned_from_votes]
    )
    distilled = any([config.teacher_weight, initial and initial.card.learned_from_teachers])
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
